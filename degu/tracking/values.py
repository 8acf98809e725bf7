"""Shapes configurations, names and lists so that a tracking store accepts them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from degu.errors import TrackingError

LONGEST_PARAM = 500
"""Characters of a parameter's value above which only its digest is recorded."""

_REFUSED = re.compile(r"[^\w./ -]")

T = TypeVar("T")


def flatten(config: Mapping[str, Any]) -> dict[str, str]:
    """Turn a nested configuration into parameters with dotted names.

    Lists of scalars stay one parameter, written as JSON; lists that hold mappings or lists are numbered.
    Empty mappings and lists stay visible as ``{}`` and ``[]``.

    Args:
        config: Plain mappings, lists and scalars.

    Returns:
        One text per leaf; a text longer than `LONGEST_PARAM` is replaced by ``sha256:`` and its digest.

    Example:
        >>> flatten({"trainer": {"epochs": 3, "rates": [0.1, 0.01]}})
        {'trainer.epochs': '3', 'trainer.rates': '[0.1, 0.01]'}
    """
    return {key: _shorten(text) for key, text in _leaves(config, "")}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    prefix = f"{path}." if path else ""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}{key}")
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{prefix}{index}")
    elif path:
        yield path, value if isinstance(value, str) else json.dumps(value, default=str)


def _shorten(text: str) -> str:
    if len(text) <= LONGEST_PARAM:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def accepted_names(values: Mapping[str, T]) -> dict[str, T]:
    """Replace the characters that a store refuses in names by underscores.

    Args:
        values: Values by name; metric names hold output names of data sets, such as ``log2(RNA/DNA)``.

    Returns:
        The same values under accepted names.

    Raises:
        TrackingError: If two names become one.
    """
    accepted = {_REFUSED.sub("_", name): value for name, value in values.items()}
    if len(accepted) < len(values):
        raise TrackingError(
            "Expected names that differ in letters, digits, '_', '-', '.', '/' or spaces, received "
            f"{sorted(values)}: some are the same once other characters are replaced by '_'. "
            "Rename the outputs of the data set."
        )
    return accepted


def family(name: str) -> str:
    """Return the metric of what Keras calls `name`: ``train/loss`` of ``loss``, ``valid/loss`` of ``val_loss``."""
    if name == "learning_rate":
        return name
    return f"valid/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"


def chunks(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in order, at most `size` at a time."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
