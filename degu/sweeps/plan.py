"""From the overrides of a command line to jobs, their configs, and the name of the sweep's folder."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from degu.allowed import TRUSTED, passed_on, refuse_foreign
from degu.config import frozen
from degu.errors import ConfigError
from degu.report.sweep_table import rounded
from degu.sweeps.records import OF_THE_SWEEP, Job

DIGEST = "DIGEST"
"""What `hydra.sweep.dir` says where the digest of the sweep goes."""

_LONGEST_NAME = 80


def parsed(texts: Sequence[str], loader: ConfigLoader) -> dict[str, Override]:
    """Parse overrides; of two with the same key the last one counts.

    Args:
        texts: As on the command line.
        loader: Knows the choices that `glob(...)` stands for.

    Raises:
        ConfigError: When one cannot be parsed.
    """
    try:
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(texts))
    except HydraException as error:
        raise ConfigError(f"Expected overrides of the form key=value. Received: {error}") from error
    return {override.get_key_element(): override for override in overrides}


def fixed(overrides: Mapping[str, Override]) -> list[str]:
    """Return the overrides that are the same for all jobs."""
    return [str(override.input_line) for override in overrides.values() if not override.is_sweep_override()]


def swept(overrides: Mapping[str, Override]) -> dict[str, Override]:
    """Return the overrides that stand for several values."""
    return {key: override for key, override in overrides.items() if override.is_sweep_override()}


def values_of(override: Override) -> list[str]:
    """Return the values that a discrete sweep stands for.

    Raises:
        ConfigError: When it is an interval, or stands for nothing.
    """
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"Expected values that can be listed, such as a,b or range(1,5). Received: {override.input_line}. "
            "An interval is searched with sweeper=optuna"
        )
    values = list(override.sweep_string_iterator())
    if not values:
        raise ConfigError(f"Expected at least one value. Received: {override.input_line}, which stands for none")
    return values


def grid(overrides: Mapping[str, Override]) -> list[dict[str, str]]:
    """Return every combination of the swept values, the last key changing fastest."""
    keys = swept(overrides)
    lists = [values_of(override) for override in keys.values()]
    return [dict(zip(keys, combination, strict=True)) for combination in itertools.product(*lists)]


def job(number: int, common: Sequence[str], values: Mapping[str, str]) -> Job:
    """Return a job with its overrides, without those that say how the sweep is run."""
    own = [text for text in common if text.partition("=")[0] not in OF_THE_SWEEP]
    return Job(
        number, [*own, *(f"{key}={value}" for key, value in values.items())], dict(values), _name(number, values)
    )


def _name(number: int, values: Mapping[str, str]) -> str:
    """Return a name that tells a job from the others in a chart's legend."""
    keys = [key.lstrip("+").partition("@")[0] for key in values]
    last = [key.rpartition(".")[2] for key in keys]
    short = [tail if last.count(tail) == 1 else key for key, tail in zip(keys, last, strict=True)]
    text = " ".join(f"{key}={rounded(value)}" for key, value in zip(short, values.values(), strict=True))
    return f"{number} {text}".strip()[:_LONGEST_NAME]


def composed(loader: ConfigLoader, base: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return the config of a job, without Hydra's part.

    Raises:
        ConfigError: When it cannot be composed, or lacks a value.
    """
    try:
        config = loader.load_sweep_config(base, list(overrides))
        with open_dict(config):
            del config["hydra"]
        refuse_foreign(frozen(config), (*TRUSTED, *passed_on()))
    except (HydraException, ConfigError) as error:
        raise ConfigError(f"{error} (in the job with {' '.join(overrides)})") from error
    return config


def digest(parts: Iterable[Any]) -> str:
    """Return 10 hexadecimal digits that stand for plain values."""
    text = json.dumps(list(parts), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
