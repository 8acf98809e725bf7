"""Shared preparation of predictions and targets: shapes, missing values, one column at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

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
    predictions, targets = as_columns(predictions), as_columns(targets)
    if predictions.shape != targets.shape:
        raise ValueError(
            f"Expected predictions and targets of one shape. Received: {predictions.shape} and {targets.shape}"
        )
    names = [str(index) for index in range(targets.shape[1])] if names is None else list(names)
    values = []
    for prediction, target, name in zip(predictions.T, targets.T, names, strict=True):
        measured = np.isfinite(target)
        if not np.isfinite(prediction[measured]).all():
            raise ValueError(f"Expected finite predictions of {name!r}. Received NaN or infinity")
        values.append(metric(prediction[measured], target[measured], name))
    return np.array(values)


def undefined(metric: str, name: str, reason: str) -> float:
    """Warn that a metric is undefined and return NaN."""
    warnings.warn(f"{metric} of {name!r} is undefined: {reason}", UndefinedMetricWarning, stacklevel=5)
    return float("nan")
