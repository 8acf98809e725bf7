"""What repeated studies say together: means over seeds, and differences between what was trained on the same seeds.

A seed decides initial values and the order of the data, so the spread over seeds is that of training. It is not the
spread over other test sequences, for which the metrics of one study have bootstrap intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE_LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean over studies.

    Attributes:
        studies: Number of values.
        mean: Their mean.
        sd: Their standard deviation (ddof 1); NaN for one value.
        low: Lower bound of the confidence interval of the mean; NaN for one value.
        high: Upper bound.
        p_value: Of a mean of 0, two-sided; None where that is not asked.
    """

    studies: int
    mean: float
    sd: float
    low: float
    high: float
    p_value: float | None = None


def over_seeds(values: ArrayLike, confidence_level: float = CONFIDENCE_LEVEL) -> Estimate:
    """Return the mean of some values and its confidence interval.

    Args:
        values: One a study, shape (n,). The interval supposes that they are independent and about normal.
        confidence_level: Of the interval, above 0 and below 1.

    Raises:
        ValueError: When there are no values, or a value is not finite.

    Example:
        >>> over_seeds([0.61, 0.63, 0.62]).studies
        3

    References:
        Student (1908), "The probable error of a mean", doi:10.2307/2331554.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not found.size or not np.isfinite(found).all():
        raise ValueError(f"Expected one or more finite values. Received: {values!r}")
    mean, count = float(found.mean()), found.size
    if count == 1:
        return Estimate(1, mean, np.nan, np.nan, np.nan)
    sd = float(found.std(ddof=1))
    half = float(stats.t.ppf((1 + confidence_level) / 2, count - 1)) * sd / np.sqrt(count)
    return Estimate(count, mean, sd, mean - half, mean + half)


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence_level: float = CONFIDENCE_LEVEL
) -> Estimate | None:
    """Return the mean of `first` minus `second` over the seeds that both have, with a paired t-test.

    Args:
        first: A metric by seed.
        second: The same metric by seed.
        confidence_level: Of the interval.

    Returns:
        The estimate; None where no seed is in both. Its p-value is None for one seed, and 0 or 1 where all differences
        are equal, which no test can judge.

    References:
        Student (1908), "The probable error of a mean", doi:10.2307/2331554.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    differences = np.array([first[seed] - second[seed] for seed in seeds])
    estimate = over_seeds(differences, confidence_level)
    if estimate.studies == 1:
        return estimate
    if estimate.sd == 0:
        return estimate._replace(p_value=float(estimate.mean == 0))
    statistic = estimate.mean / (estimate.sd / np.sqrt(estimate.studies))
    return estimate._replace(p_value=float(2 * stats.t.sf(abs(statistic), estimate.studies - 1)))
