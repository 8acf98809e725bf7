"""Shared preparation of predictions and targets: shapes, missing values, one column at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


class UndefinedMetricWarning(UserWarning):
    """A metric has no value for these data and is reported as NaN."""


def as_columns(values: ArrayLike) -> NDArray:
    """Return values as `(N, K)` float64; a vector `(N,)` becomes one column."""
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array


def per_column(
    metric: Callable[[NDArray, NDArray, str], float],
    predictions: ArrayLike,
    targets: ArrayLike,
    names: Sequence[str] | None,
) -> NDArray:
    """Apply a metric to every column over the rows where both values are finite.

    Args:
        metric: Called with predictions `(n,)`, targets `(n,)` and the column's name.
        predictions: `(N, K)` or `(N,)`.
        targets: Same shape; NaN means not measured.
        names: K column names for messages, or None for their numbers.

    Returns:
        `(K,)` float64.

    Raises:
        ValueError: When shapes differ or a prediction is not finite where its target is measured.
    """
    columns = measured_columns({"predictions": predictions}, targets, names)
    return np.array([metric(prediction, target, name) for name, target, (prediction,) in columns])


def measured_columns(
    predictions: Mapping[str, ArrayLike],
    targets: ArrayLike,
    names: Sequence[str] | None,
    allow_infinite: bool = False,
) -> Iterator[tuple[str, NDArray, list[NDArray]]]:
    """Yield the measured rows of every column.

    Args:
        predictions: By what they are called in messages, each `(N, K)` or `(N,)`.
        targets: Same shape; NaN means not measured.
        names: K column names for messages, or None for their numbers.
        allow_infinite: Whether a prediction may be infinite, as the bounds of an interval may.

    Yields:
        Name, targets `(n,)` and predictions, each `(n,)`, of one column after another.

    Raises:
        ValueError: When shapes differ, or a prediction is NaN or not allowed to be infinite where its target is
            measured.
    """
    targets = as_columns(targets)
    arrays = {label: as_columns(values) for label, values in predictions.items()}
    for label, values in arrays.items():
        if values.shape != targets.shape:
            raise ValueError(f"Expected {label} and targets of one shape. Received: {values.shape} and {targets.shape}")
    names = [str(index) for index in range(targets.shape[1])] if names is None else list(names)
    for index, (name, target) in enumerate(zip(names, targets.T, strict=True)):
        measured = np.isfinite(target)
        rows = {label: values[measured, index] for label, values in arrays.items()}
        for label, values in rows.items():
            if np.isnan(values).any() or not (allow_infinite or np.isfinite(values).all()):
                raise ValueError(f"Expected finite {label} of {name!r}. Received NaN or infinity")
        yield name, target[measured], list(rows.values())


def undefined(metric: str, name: str, reason: str) -> float:
    """Warn that a metric is undefined and return NaN."""
    warnings.warn(f"{metric} of {name!r} is undefined: {reason}", UndefinedMetricWarning, stacklevel=5)
    return float("nan")
