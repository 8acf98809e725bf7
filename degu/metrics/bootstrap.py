"""Confidence intervals of metrics by resampling rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from degu.metrics.counted import ColumnStatistics

BOUNDS = ("", "_low", "_high")
"""What follows a metric's name: its value, and the bounds of its confidence interval."""


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap over rows.

    All metrics of one call, also those of two models, see the same samples. The difference of two replicates is
    therefore a replicate of the difference, which leaves out what both models share: the same rows are hard for both.

    Rows are drawn independently. Where rows come in groups, such as the two orientations of one element, the intervals
    are too narrow. Metrics that measure a distance from calibration (ENCE, miscalibration area) are biased upwards in
    resampled rows; near 0 their intervals lie too high.

    Attributes:
        num_resamples: Samples to draw, at least 1.
        confidence_level: Of the intervals, above 0 and below 1.
        seed: Seed of the draws.

    Raises:
        ValueError: When an argument is outside its range.

    References:
        Efron, Tibshirani (1993), "An introduction to the bootstrap", chapter 13, doi:10.1201/9780429246593.
    """

    num_resamples: int = 1000
    confidence_level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_resamples < 1:
            raise ValueError(f"Expected num_resamples >= 1. Received: num_resamples={self.num_resamples!r}")
        if not 0 < self.confidence_level < 1:
            raise ValueError(
                f"Expected a confidence level above 0 and below 1. Received: confidence_level={self.confidence_level!r}"
            )

    def samples(self, num_rows: int) -> Iterator[NDArray]:
        """Yield how often each sample holds each row, `(num_rows,)` float64."""
        generator = np.random.default_rng(self.seed)
        for _ in range(self.num_resamples):
            drawn = generator.integers(num_rows, size=num_rows)
            yield np.bincount(drawn, minlength=num_rows).astype(np.float64)

    def replicates(self, column: ColumnStatistics) -> dict[str, NDArray]:
        """Return every statistic of every sample, `(num_resamples,)` each; all NaN where there are no rows."""
        num_rows, statistics = column
        if not num_rows:
            return {name: np.full(self.num_resamples, np.nan) for name in statistics}
        values = [[statistic(counts) for statistic in statistics.values()] for counts in self.samples(num_rows)]
        return dict(zip(statistics, np.array(values).T, strict=True))

    def interval(self, replicates: NDArray) -> tuple[float, float]:
        """Return the bounds that hold the middle of the replicates.

        Samples in which a metric has no value (NaN) are left out; without any other the bounds are NaN. Bounds are
        replicates themselves and not interpolated, so they are defined where some are infinite.
        """
        defined = replicates[~np.isnan(replicates)]
        if not defined.size:
            return float("nan"), float("nan")
        tail = (1 - self.confidence_level) / 2
        low, high = np.quantile(defined, [tail, 1 - tail], method="inverted_cdf")
        return float(low), float(high)


def estimate(
    column: ColumnStatistics,
    bootstrap: Bootstrap | None = None,
    differences: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, tuple[float, ...]]:
    """Return the value of every statistic, and its interval.

    Args:
        column: The statistics and their number of rows; without any row the values are NaN.
        bootstrap: How to find intervals; None for none.
        differences: Further names, each for one statistic minus another.

    Returns:
        By name `(value, low, high)`, or `(value,)` without a bootstrap.
    """
    once = np.ones(column.num_rows)
    values = {name: statistic(once) if once.size else np.nan for name, statistic in column.statistics.items()}
    replicates = bootstrap.replicates(column) if bootstrap else {}
    # infinite widths have no difference
    with np.errstate(invalid="ignore"):
        for name, (first, second) in (differences or {}).items():
            values[name] = float(np.subtract(values[first], values[second]))
            if bootstrap:
                replicates[name] = replicates[first] - replicates[second]
    if bootstrap is None:
        return {name: (value,) for name, value in values.items()}
    return {name: (value, *bootstrap.interval(replicates[name])) for name, value in values.items()}


def flat_estimates(columns: Mapping[str, ColumnStatistics], bootstrap: Bootstrap | None) -> dict[str, float]:
    """Return `{"<metric>/<target>": value}` and the plain average over targets as `<metric>/mean`.

    Args:
        columns: By target.
        bootstrap: How to find intervals, `<metric>_low` and `<metric>_high` of each target; None for none.
    """
    flat: dict[str, float] = {}
    values: dict[str, list[float]] = {}
    for target, column in columns.items():
        for metric, numbers in estimate(column, bootstrap).items():
            flat |= {f"{metric}{bound}/{target}": number for bound, number in zip(BOUNDS, numbers, strict=False)}
            values.setdefault(metric, []).append(numbers[0])
    return flat | {f"{metric}/mean": float(np.mean(numbers)) for metric, numbers in values.items()}
