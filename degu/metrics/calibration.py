"""Calibration: whether predicted probabilities and predicted errors are those that are observed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from degu.metrics.counted import Statistic, TieGroups, UndefinedMetricError
from degu.metrics.intervals import check_confidence_level

ENCE_BINS = 10


def calibration_curve(levels: ArrayLike, expected: ArrayLike) -> NDArray:
    """Return the observed share of measurements at each expected probability.

    Args:
        levels: Of each measurement, `(n,)`: `central_confidence`, for the coverage of central intervals, or
            `probability_integral_transform`, for the share below each predicted quantile.
        expected: Probabilities, any shape.

    Returns:
        Share of levels up to each expected probability; `expected` itself for a calibrated model, up to chance.

    References:
        Kuleshov, Fenner, Ermon (2018), "Accurate uncertainties for deep learning using calibrated regression",
        arXiv:1807.00263.
    """
    return np.searchsorted(np.sort(levels), expected, side="right") / len(np.asarray(levels))


def calibration_band(num_rows: int, confidence_level: float = 0.95) -> float:
    """Return how far the curve of a calibrated model strays from the diagonal, at most, by chance.

    The whole curve stays within this distance with the given probability: the exact two-sided Kolmogorov quantile for
    independent rows.

    References:
        Massart (1990), doi:10.1214/aop/1176990746 (a bound that this quantile does not exceed).
    """
    check_confidence_level(confidence_level)
    return float(stats.kstwo.ppf(confidence_level, num_rows))


def miscalibration_area(levels: NDArray) -> Statistic:
    """Return the area between calibration curve and diagonal: 0 if calibrated, at most 0.5.

    The curve is a step function, and the area is exact, without a grid.

    Args:
        levels: As for `calibration_curve`, `(n,)`.
    """
    order = np.argsort(levels, kind="stable")
    knots = np.concatenate([[0.0], levels[order], [1.0]])

    def area(counts: NDArray) -> float:
        observed = np.concatenate([[0.0], np.cumsum(counts[order]) / counts.sum()])
        left, right = knots[:-1] - observed, knots[1:] - observed
        return float(np.sum(right * np.abs(right) - left * np.abs(left)) / 2)

    return area


def expected_normalized_calibration_error(error: NDArray, std: NDArray, num_bins: int = ENCE_BINS) -> Statistic:
    """Return the ENCE: mean over bins of |RMV - RMSE| / RMV.

    Rows are binned by predicted standard deviation into bins of equal size; rows with equal ones share a bin, so a
    model with one standard deviation for all has one bin, and bins without rows are left out. RMV is the root of the
    mean predicted variance, RMSE the root of the mean squared error in a bin.

    A calibrated model has a value near `sqrt(num_bins / (pi n))` rather than 0, because RMSE of few rows varies.
    Compare values of equal numbers of bins and rows only.

    Args:
        error: Measurement minus mean, `(n,)`.
        std: Standard deviations, `(n,)`.
        num_bins: Number of bins.

    Raises:
        UndefinedMetricError: When a standard deviation is 0.

    References:
        Levi, Gispan, Giladi, Fetaya (2022), doi:10.3390/s22155540. Pernot (2023), arXiv:2305.11905 (its dependence on
        the number of bins).
    """
    if (std == 0).any():
        raise UndefinedMetricError("a standard deviation is 0")
    groups, variance, squared = TieGroups(std), std**2, error**2

    def ence(counts: NDArray) -> float:
        place = (groups.midranks(counts) / counts.sum() * num_bins).astype(np.intp)
        # rows that a sample does not hold weigh nothing in whichever bin they are
        predicted, observed = (np.bincount(place, counts * part, minlength=num_bins) for part in (variance, squared))
        filled = predicted > 0
        rmv, rmse = np.sqrt(predicted[filled]), np.sqrt(observed[filled])
        return float(np.mean(np.abs(rmv - rmse) / rmv))

    return ence
