"""Whose code a config may run: one list for own configs, for studies of others, and for imported ones.

A config names functions to be called, which makes it code. Nothing outside of this list is imported, unless the user
allows its package on the command line. Names are compared as text, before anything is looked up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from degu.errors import ConfigError

TRUSTED = (
    *("degu.augment", "degu.data", "degu.devices", "degu.distill", "degu.ensemble", "degu.evaluation", "degu.losses"),
    *("degu.metrics", "degu.models", "degu.tracking", "degu.train", "degu.uncertainty", "evoaug_tf.augment"),
    *("keras.activations", "keras.initializers", "keras.losses", "keras.metrics", "keras.optimizers"),
    "keras.regularizers",
)
"""Packages whose functions and classes a config may name. Those that load models or write files are not."""

HYDRA = ("hydra", "hydra_plugins", "optuna.samplers")
"""Packages that the launcher, the sweeper, its sampler and the logging of Hydra come from."""

VARIABLE = "DEGU_ALLOW"
"""Environment variable by which `degu run --allow` reaches the processes of a sweep; set by the command line alone."""


def refuse_foreign(config: Any, packages: Sequence[str]) -> None:
    """Refuse a config that names code of other packages; nothing is imported.

    Args:
        config: Plain values.
        packages: Prefixes that a `_target_` may have, whole words of a dotted name.

    Raises:
        ConfigError: When a target is elsewhere, or no text.
    """
    for path, node in targets(config):
        name = node["_target_"]
        if not isinstance(name, str) or not is_of(name, packages):
            allowed = "".join(f", or from {package}" for package in packages if package not in (*TRUSTED, *HYDRA))
            raise ConfigError(
                f"Expected {path}_target_ from the parts of degu, keras and evoaug_tf that studies are made of{allowed}"
                f". Received: {name}, other code that would be run. If you trust it, allow its package: "
                f"--allow {str(name).partition('.')[0]}"
            )


def is_of(name: str, packages: Sequence[str]) -> bool:
    """Whether a dotted name lies in one of some packages."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def targets(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every node of plain values that names a target, with its dotted place and a dot behind."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from targets(value, f"{path}{key}.")
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from targets(value, f"{path}{index}.")


def take_allowed(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the arguments of `degu run` into the packages that `--allow` names and the rest.

    Raises:
        ConfigError: When `--allow` stands at the end, without a package.
    """
    allowed: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        if option != "--allow":
            rest.append(argument)
            continue
        package = value if equals else next(remaining, "")
        if not all(word.isidentifier() for word in package.split(".")):
            raise ConfigError(f"Expected --allow PACKAGE, a dotted name. Received: {package!r}")
        allowed.append(package)
    return allowed, rest


def pass_on(allowed: Sequence[str]) -> None:
    """Let the processes that this one starts know what the command line allowed."""
    os.environ[VARIABLE] = ",".join(allowed)


def passed_on() -> list[str]:
    """Return what the command line allowed, in any process of a sweep."""
    return [package for package in os.environ.get(VARIABLE, "").split(",") if package]
