"""All metrics of predictions with a mean and a standard deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.bootstrap import Bootstrap, flat_estimates
from degu.metrics.calibration import expected_normalized_calibration_error, miscalibration_area
from degu.metrics.columns import measured_columns, undefined
from degu.metrics.counted import ColumnStatistics, Statistic, UndefinedMetricError, average
from degu.metrics.gaussian import central_confidence, gaussian_crps, gaussian_interval, gaussian_nll
from degu.metrics.intervals import interval_statistics
from degu.metrics.sparsification import aurg, ause, uncertainty_error_spearman

CONFIDENCE_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


def _mean_nll(error: NDArray, std: NDArray) -> Statistic:
    if (std == 0).any():
        raise UndefinedMetricError("a standard deviation is 0")
    return average(gaussian_nll(error, std))


def _mean_crps(error: NDArray, std: NDArray) -> Statistic:
    return average(gaussian_crps(error, std))


def _area(error: NDArray, std: NDArray) -> Statistic:
    return miscalibration_area(central_confidence(error, std))


GAUSSIAN_METRICS: dict[str, Callable[[NDArray, NDArray], Statistic]] = {
    "nll": _mean_nll,
    "crps": _mean_crps,
    "miscalibration_area": _area,
    "ence": expected_normalized_calibration_error,
    "uncertainty_error_spearman": uncertainty_error_spearman,
    "ause": ause,
    "aurg": aurg,
}
"""From errors and standard deviations `(n,)` to a statistic."""


def gaussian_statistics(
    error: NDArray, std: NDArray, name: str, confidence_levels: Sequence[float] = CONFIDENCE_LEVELS
) -> dict[str, Statistic]:
    """Return the metrics of one target.

    Args:
        error: Measurement minus predicted mean, `(n,)`.
        std: Predicted standard deviations, `(n,)`.
        name: The target's name for warnings.
        confidence_levels: Of the central intervals that are evaluated.

    Returns:
        Those of `GAUSSIAN_METRICS`, and of `interval_statistics` at every level. A metric that has no value for these
        rows warns and is NaN.

    Raises:
        ValueError: When a standard deviation is negative.
    """
    if (std < 0).any():
        raise ValueError(
            f"Expected standard deviations of at least 0 of {name!r}. Received: {std.min():g}. "
            "Log-variances must be converted first (degu.uncertainty.Spread.to_std)"
        )
    statistics = {metric: _prepared(metric, error, std, name) for metric in GAUSSIAN_METRICS}
    for level in confidence_levels:
        statistics |= interval_statistics(*gaussian_interval(np.zeros_like(error), std, level), error, level)
    return statistics


def eval_gaussian(
    mean: ArrayLike,
    std: ArrayLike,
    targets: ArrayLike,
    names: Sequence[str] | None = None,
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS,
    bootstrap: Bootstrap | None = None,
) -> dict[str, float]:
    """Evaluate predicted standard deviations, of whichever kind, as those of normal distributions.

    Args:
        mean: Predicted means, `(N, K)` or `(N,)`.
        std: Predicted standard deviations (epistemic, aleatoric or total), same shape and unit.
        targets: Measurements, same shape; NaN means not measured and leaves that row out of its column.
        names: K names used in keys and warnings.
        confidence_levels: Of the central intervals that are evaluated.
        bootstrap: How to find confidence intervals of the metrics; None for none.

    Returns:
        `{"<metric>/<target>": value}` with the metrics of `gaussian_statistics`, and their `<metric>/mean` over
        targets. With a bootstrap also `<metric>_low` and `<metric>_high`. A metric that has no value is NaN and warns.

    Raises:
        ValueError: When shapes differ, a prediction is not finite, a standard deviation is negative, or a confidence
            level is outside (0, 1).

    Example:
        >>> metrics = eval_gaussian([0.0, 0.0, 0.0], [1.0, 1.0, 2.0], [0.5, -0.5, 3.0], ["Dev"])
        >>> round(metrics["crps/Dev"], 4), round(metrics["coverage_80/Dev"], 4)
        (0.8839, 0.6667)
    """
    return flat_estimates(gaussian_columns(mean, std, targets, names, confidence_levels), bootstrap)


def gaussian_columns(
    mean: ArrayLike,
    std: ArrayLike,
    targets: ArrayLike,
    names: Sequence[str] | None,
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS,
) -> dict[str, ColumnStatistics]:
    """Return the metrics of `gaussian_statistics` by target; arguments as of `eval_gaussian`."""
    predictions = {"means": mean, "standard deviations": std}
    return {
        name: ColumnStatistics(len(target), gaussian_statistics(target - center, spread, name, confidence_levels))
        for name, target, (center, spread) in measured_columns(predictions, targets, names)
    }


def _prepared(metric: str, error: NDArray, std: NDArray, name: str) -> Statistic:
    try:
        if not len(error):
            raise UndefinedMetricError("no measured rows")
        return GAUSSIAN_METRICS[metric](error, std)
    except UndefinedMetricError as reason:
        value = undefined(metric, name, str(reason))
        return lambda counts: value
