"""Regression metrics: mean squared error, Pearson and Spearman correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from degu.metrics.columns import UndefinedMetricWarning, per_column, undefined

__all__ = ["RegressionMetrics", "UndefinedMetricWarning", "eval_regression"]


class RegressionMetrics(NamedTuple):
    """One value a target.

    Attributes:
        mse: Mean squared error, squared unit of the target, `(K,)`.
        pearson_r: Pearson correlation, `(K,)`.
        spearman_rho: Spearman rank correlation with mid-ranks for ties, `(K,)`.
    """

    mse: NDArray
    pearson_r: NDArray
    spearman_rho: NDArray


def eval_regression(
    predictions: ArrayLike, targets: ArrayLike, names: Sequence[str] | None = None
) -> RegressionMetrics:
    """Compare predictions with measurements.

    Args:
        predictions: `(N, K)` or `(N,)`.
        targets: Same shape; NaN means not measured and leaves that row out of its column.
        names: K names used in warnings.

    Returns:
        `RegressionMetrics`, unpackable as `mse, pearson_r, spearman_rho`. A correlation that has no value (fewer than
        two rows, a constant column) is NaN and warns.

    Raises:
        ValueError: When shapes differ or a prediction is not finite.

    Example:
        >>> mse, r, rho = eval_regression([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
        >>> float(rho[0])
        1.0
    """
    return RegressionMetrics(
        mse=per_column(_mse, predictions, targets, names),
        pearson_r=per_column(_pearson, predictions, targets, names),
        spearman_rho=per_column(_spearman, predictions, targets, names),
    )


def _mse(prediction: NDArray, target: NDArray, name: str) -> float:
    if not len(target):
        return undefined("MSE", name, "no measured rows")
    return float(np.mean((prediction - target) ** 2))


def _pearson(prediction: NDArray, target: NDArray, name: str) -> float:
    return _correlation("Pearson r", prediction, target, name)


def _spearman(prediction: NDArray, target: NDArray, name: str) -> float:
    return _correlation("Spearman rho", stats.rankdata(prediction), stats.rankdata(target), name)


def _correlation(metric: str, prediction: NDArray, target: NDArray, name: str) -> float:
    if len(target) < 2:
        return undefined(metric, name, f"{len(target)} measured rows, at least 2 are needed")
    for side, values in (("predictions", prediction), ("targets", target)):
        if np.ptp(values) == 0:
            return undefined(metric, name, f"the {side} are constant")
    a, b = prediction - prediction.mean(), target - target.mean()
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))
