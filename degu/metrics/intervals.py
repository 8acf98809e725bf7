"""Prediction intervals: how often they hold the measurement, how wide they are, and both in one score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.bootstrap import Bootstrap, flat_estimates
from degu.metrics.columns import measured_columns
from degu.metrics.counted import ColumnStatistics, Statistic, average


class Interval(NamedTuple):
    """Bounds of N sequences and K targets, in the unit of the targets; both bounds belong to the interval.

    Attributes:
        lower: `(N, K)`; negative infinity where there is no bound.
        upper: `(N, K)`; positive infinity where there is no bound.
    """

    lower: NDArray
    upper: NDArray


def interval_statistics(
    lower: NDArray, upper: NDArray, target: NDArray, confidence_level: float
) -> dict[str, Statistic]:
    """Return the metrics of one target's intervals at one confidence level.

    * `coverage_90`: share of measurements inside (prediction interval coverage probability), to be compared with 0.9.
    * `width_90`: mean width in the unit of the target. Of two methods with the same coverage the narrower is better.
    * `interval_score_90`: mean of width + 2 / (1 - 0.9) times the distance of the measurement to the interval, in the
      unit of the target. A proper score: it is smallest for the true quantiles.

    Args:
        lower: `(n,)`.
        upper: `(n,)`.
        target: `(n,)`.
        confidence_level: Nominal coverage, above 0 and below 1; it is written into the names in percent.

    References:
        Gneiting, Raftery (2007), doi:10.1198/016214506000001437, section 6.2 (interval score).
        Khosravi et al. (2011), doi:10.1109/TNN.2010.2096824 (coverage probability and mean width).
    """
    check_confidence_level(confidence_level)
    percent = f"{100 * confidence_level:g}"
    width = upper - lower
    distance = np.maximum(np.maximum(lower - target, target - upper), 0)
    return {
        f"coverage_{percent}": average(((lower <= target) & (target <= upper)).astype(np.float64)),
        f"width_{percent}": average(width),
        f"interval_score_{percent}": average(width + 2 / (1 - confidence_level) * distance),
    }


def eval_intervals(
    intervals: Mapping[float, Interval],
    targets: ArrayLike,
    names: Sequence[str] | None = None,
    bootstrap: Bootstrap | None = None,
) -> dict[str, float]:
    """Evaluate the intervals of a method against measurements.

    Args:
        intervals: By confidence level.
        targets: `(N, K)` or `(N,)`; NaN means not measured.
        names: K names used in keys.
        bootstrap: How to find confidence intervals of the metrics; None for none.

    Returns:
        `{"<metric>/<target>": value}` with the metrics of `interval_statistics`, and their `<metric>/mean` over
        targets. With a bootstrap also `<metric>_low` and `<metric>_high`.

    Raises:
        ValueError: When shapes differ, a bound is NaN, or a confidence level is outside (0, 1).

    Example:
        >>> intervals = {0.9: Interval(np.zeros((4, 1)), np.ones((4, 1)))}
        >>> eval_intervals(intervals, [0.0, 0.5, 1.0, 1.5], ["Dev"])["coverage_90/Dev"]
        0.75
    """
    return flat_estimates(interval_columns(intervals, targets, names), bootstrap)


def interval_columns(
    intervals: Mapping[float, Interval], targets: ArrayLike, names: Sequence[str] | None
) -> dict[str, ColumnStatistics]:
    """Return the metrics of `interval_statistics` at all levels, by target; arguments as of `eval_intervals`."""
    columns: dict[str, ColumnStatistics] = {}
    for level, interval in intervals.items():
        bounds = {"lower bounds": interval.lower, "upper bounds": interval.upper}
        for name, target, (lower, upper) in measured_columns(bounds, targets, names, allow_infinite=True):
            column = columns.setdefault(name, ColumnStatistics(len(target), {}))
            column.statistics.update(interval_statistics(lower, upper, target, level))
    return columns


def check_confidence_level(confidence_level: float) -> None:
    """Raise a ValueError unless the level is above 0 and below 1."""
    if not 0 < confidence_level < 1:
        raise ValueError(f"Expected a confidence level above 0 and below 1. Received: {confidence_level!r}")
