"""The config that a study has written down, read as what it is: code of whoever made the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from degu.allowed import TRUSTED, refuse_foreign
from degu.errors import ConfigError, DataError, nearest
from degu.manifest import leaves

CONFIG = "config.yaml"
"""Where a study keeps its config in its folder."""


def trusted(allowed: Sequence[str]) -> tuple[str, ...]:
    """Return the packages whose code a study's config may name, with those that the user allows."""
    return (*TRUSTED, *allowed)


def stored_config(folder: Path, allowed: Sequence[str] | None = ()) -> DictConfig:
    """Read the config of a study.

    Args:
        folder: The study's folder.
        allowed: Packages beside those of degu whose code the config may name; None does not look, for a config that is
            compared and not run.

    Raises:
        DataError: When there is none, or it cannot be read.
        ConfigError: When it names code that is not allowed, or asks for values from elsewhere.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise DataError(f"{path}: expected the config of a study, received no such file.")
    text = path.read_text(encoding="utf-8")
    try:
        config = OmegaConf.create(text)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise DataError(f"{path}: expected the config of a study, received: {error}") from error
    if not isinstance(config, DictConfig):
        raise DataError(f"{path}: expected the config of a study, received something else.")
    if "${" in text:
        # A study writes its config with all values in place; these would read the environment of whoever runs it.
        raise ConfigError(f"{path}: expected a config with all values in place, received one with ${{...}}.")
    if allowed is not None:
        refuse_foreign(OmegaConf.to_container(config), trusted(allowed))
    return config


def plain_config(folder: Path) -> dict[str, Any]:
    """Return the config of a study as it is written, to be compared and not run; nothing is looked up."""
    return dict(OmegaConf.to_container(stored_config(folder, None)))  # type: ignore[arg-type]


def moved_places(config: DictConfig, places: Mapping[str, str]) -> DictConfig:
    """Return a config in which files lie elsewhere.

    Args:
        config: A study's config.
        places: New values of its leaves, which must be texts, such as ``{"data.path": "my.tsv"}``.

    Raises:
        ConfigError: When there is no such leaf, or it is no text.
    """
    moved = config.copy()
    texts = [leaf for leaf, value in leaves(OmegaConf.to_container(config)).items() if isinstance(value, str)]
    for leaf, place in places.items():
        if leaf not in texts or leaf.split(".")[-1].startswith("_"):
            raise ConfigError(
                f"Expected --moved LEAF=PATH with a leaf of the study's config that names a file. "
                f"Received: {leaf!r}.{nearest(leaf, texts)}"
            )
        OmegaConf.update(moved, leaf, place)
    return moved


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; OmegaConf adds lines for programmers."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
