"""Finding, composing and instantiating configurations."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException
from hydra.utils import get_method, instantiate
from omegaconf import DictConfig, OmegaConf

from degu.allowed import HYDRA, TRUSTED, is_of, refuse_foreign, targets
from degu.errors import ConfigError, DeguError, nearest

PACKAGE = Path(__file__).parent
_MODES = {"-m", "--multirun", "-r", "--run", "-c", "--cfg", "-i", "--info", "-sc", "--shell-completion"}
_OPTIONS_WITH_VALUE = {
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--info", "--experimental-rerun"),
}


def config_dir() -> Path:
    """Return the folder of the shipped configs: beside the package in a checkout, inside it in a wheel.

    Raises:
        ConfigError: When there is none.
    """
    for folder in (PACKAGE / "conf", PACKAGE.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise ConfigError(f"Expected the shipped configs in {PACKAGE / 'conf'}. Received: no such folder. Reinstall degu")


def groups(folder: Path) -> dict[str, list[str]]:
    """Return the config groups of a folder and their choices, read from its files."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.yaml")):
        group = path.parent.relative_to(folder).as_posix()
        if group != ".":
            found.setdefault(group, []).append(path.stem)
    return found


def build(node: Any, *args: Any, **kwargs: Any) -> Any:
    """Instantiate a config node; an argument that its target does not have is refused by name.

    Args:
        node: A node with `_target_`, or plain values.
        *args: Positional arguments of the target.
        **kwargs: Further arguments of the target.

    Returns:
        The instantiated object, or a function of the remaining arguments where the node says `_partial_`.

    Raises:
        ConfigError: When a target cannot be found or called with these arguments.
    """
    for _, target in targets(frozen(node) if isinstance(node, DictConfig) else node):
        _check_arguments(target)
    try:
        return instantiate(node, *args, _convert_="all", **kwargs)
    except InstantiationException as error:
        cause = error.__cause__
        while cause is not None and not isinstance(cause, DeguError):
            cause = cause.__cause__
        if cause is not None:
            raise cause  # noqa: B904 - with what it was raised from itself
        raise ConfigError(str(error)) from error


def check_targets(config: DictConfig, packages: Sequence[str] | None = None) -> None:
    """Check every `_target_` of a config and the names of its arguments, before anything is built.

    Packages other than `packages` are not even imported; None allows any.

    Raises:
        ConfigError: When a target comes from elsewhere, cannot be found, or has no such argument.
    """
    plain = frozen(config)
    if packages is not None:
        refuse_foreign(plain, packages)
    for _, target in targets(plain):
        if packages is not None:
            _refuse_passers_by(target["_target_"], packages)
        _check_arguments(target)


def own_code(config: DictConfig) -> dict[str, str]:
    """Return the SHA-256 of the source files that a config's targets outside of degu and Keras come from, by module."""
    digests = {}
    for _, target in targets(frozen(config)):
        module = inspect.getmodule(_find(target["_target_"]))
        if module is None or module.__name__.partition(".")[0] in ("degu", "keras", "evoaug_tf"):
            continue
        file = inspect.getsourcefile(module)
        if file is not None:
            digests[module.__name__] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return digests


def _refuse_passers_by(name: str, packages: Sequence[str]) -> None:
    """Refuse what a module of the packages merely imports, such as `degu.data.table.os.remove`."""
    home = str(getattr(_find(name), "__module__", ""))
    if home.partition(".")[0] != name.partition(".")[0] and not is_of(home, packages):
        raise ConfigError(f"Expected _target_: {name} to be defined there. Received: something of {home}")


def _check_arguments(node: Mapping[str, Any]) -> None:
    name = node["_target_"]
    target = _find(name)
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    names = [parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY]
    for key in node:
        if not str(key).startswith("_") and key not in names:
            raise ConfigError(
                f"{name} has no argument {key!r}.{nearest(str(key), names)} Its arguments are: {', '.join(names)}"
            )


def _find(name: str) -> Callable[..., Any]:
    try:
        return get_method(name)
    except (ImportError, ValueError, HydraException) as error:
        raise ConfigError(f"Expected _target_: {name} to name a function or class. Received: {error}") from error


def compose_data(overrides: Sequence[str]) -> DictConfig:
    """Return the node of a data set.

    Args:
        overrides: Values of the config, such as ``data=table data.path=my.tsv``.

    Raises:
        ConfigError: When a key or a choice does not exist.
    """
    from hydra import compose, initialize_config_dir

    check_overrides(overrides)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides)).data


def frozen(config: DictConfig) -> dict[str, Any]:
    """Return a config as plain values with every interpolation resolved.

    Raises:
        ConfigError: When a value that the user must give is missing.
    """
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(
            f"Expected a value for {', '.join(config._get_full_key(key) for key in missing)}. Received: none. "
            "Give it on the command line, as key=value"
        )
    return dict(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]


def options_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of `degu run` in the order that Hydra's parser needs: options, then overrides."""
    options, overrides = _split(arguments)
    return [*options, *overrides]


def check_overrides(arguments: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Check the overrides of a command line before anything heavy is imported, and before any code of a config is.

    Args:
        arguments: What follows `degu run`.
        allowed: Packages beside those of degu whose code the configs may name.

    Raises:
        ConfigError: When a key or a choice does not exist; the message names the nearest that does. When a config names
            code of another package. When two options exclude each other.
    """
    from hydra import compose, initialize_config_dir

    options, texts = _split(arguments)
    modes = [option.partition("=")[0] for option in options if option.partition("=")[0] in _MODES]
    if len(set(modes)) > 1:
        raise ConfigError(f"Expected one of --multirun, --cfg and --info. Received: {' and '.join(modes)}")
    overrides = _parse(texts, is_multirun=bool({"-m", "--multirun"} & set(options)))
    if any(option.startswith(("--config-path", "-cp", "--config-name", "-cn")) for option in options):
        return
    folders = [config_dir(), *_own_folders(options)]
    choices: dict[str, list[str]] = {}
    for folder in folders:
        for group, names in groups(folder).items():
            choices.setdefault(group, []).extend(names)
    values: list[str] = []
    chosen = ["hydra.searchpath=" + json.dumps([f"file://{folder}" for folder in folders[1:]])]
    for override in overrides:
        group = override.key_or_group.split("@")[0]
        if group in choices and not override.is_sweep_override():
            _check_choice(group, override.value(), choices[group])
            chosen.append(str(override.input_line))
        elif group not in choices and not override.is_add() and not override.is_delete():
            values.append(override.key_or_group)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        try:
            config = compose("config", overrides=chosen, return_hydra_config=True)
        except HydraException as error:
            raise ConfigError(str(error)) from error
    refuse_foreign(OmegaConf.to_container(config, resolve=False), (*TRUSTED, *HYDRA, *allowed))
    known = set(_keys(config)) | set(choices)
    for key in values:
        if key not in known and not key.startswith(("hydra.", "hydra/")):
            raise ConfigError(f"There is no config key {key!r}.{nearest(key, known)} (+{key}=... would add it)")


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return options with their values, and overrides."""
    options: list[str] = []
    overrides: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        options.append(argument)
        if argument in _OPTIONS_WITH_VALUE:
            options.extend(itertools.islice(remaining, 1))
    return options, overrides


def _parse(texts: Sequence[str], is_multirun: bool) -> list[Override]:
    for text in texts:
        if "=" not in text and not text.startswith("~"):
            raise ConfigError(f"Expected overrides of the form key=value. Received: {text!r}")
    try:
        overrides = OverridesParser.create().parse_overrides(list(texts))
    except HydraException as error:
        raise ConfigError(f"Expected overrides of the form key=value. Received: {error}") from error
    for override in overrides:
        if override.is_sweep_override() and not is_multirun:
            raise ConfigError(
                f"Expected one value in {override.input_line!r}. Received: several. Add -m to run every one of them, "
                "or use key=[a,b] for a list"
            )
    return overrides


def _own_folders(options: Sequence[str]) -> list[Path]:
    """Return the folder that `--config-dir` names, if it is there."""
    for option, following in itertools.zip_longest(options, options[1:], fillvalue=""):
        name, _, value = option.partition("=")
        if name in ("--config-dir", "-cd"):
            folder = Path(value or following)
            if not folder.is_dir():
                raise ConfigError(f"Expected --config-dir to name a folder. Received: {str(folder)!r}")
            return [folder.absolute()]
    return []


def _check_choice(group: str, value: Any, choices: Sequence[str]) -> None:
    if isinstance(value, str) and value not in choices:
        raise ConfigError(
            f"There is no choice {value!r} in group {group!r}.{nearest(value, choices)} "
            f"Its choices are: {', '.join(choices)}"
        )


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in config:
        name = f"{prefix}{key!s}"
        yield name
        node = config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_interpolation():
            yield from _keys(node, f"{name}.")
