"""Whether predictions that claim a large uncertainty have a large error: rank correlation and sparsification."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.counted import Statistic, TieGroups, UndefinedMetricError

FRACTIONS = np.linspace(0.0, 0.99, 100)
"""Removed shares of rows at which the areas are summed up."""


def uncertainty_error_spearman(error: NDArray, std: NDArray) -> Statistic:
    """Return the Spearman rank correlation of predicted standard deviation and absolute error, with mid-ranks.

    Even a perfect standard deviation has a value well below 1, because errors are random.

    Args:
        error: Measurement minus mean, `(n,)`.
        std: Standard deviations, `(n,)`.

    Raises:
        UndefinedMetricError: With fewer than two rows, or where one side is constant.
    """
    _check_rows(error)
    for side, values in (("standard deviations", std), ("absolute errors", np.abs(error))):
        if np.ptp(values) == 0:
            raise UndefinedMetricError(f"the {side} are constant")
    predicted, observed = TieGroups(std), TieGroups(np.abs(error))

    def spearman(counts: NDArray) -> float:
        # the mean midrank is half of the number of rows
        a, b = (groups.midranks(counts) - counts.sum() / 2 for groups in (predicted, observed))
        scale = np.sqrt((counts @ a**2) * (counts @ b**2))
        return float(np.clip(counts @ (a * b) / scale, -1.0, 1.0)) if scale > 0 else float("nan")

    return spearman


def sparsification_curve(error: NDArray, std: NDArray, fractions: ArrayLike = FRACTIONS) -> NDArray:
    """Return the error of the rows that remain after the most uncertain were removed.

    Args:
        error: Measurement minus mean, `(n,)`, not all 0.
        std: Standard deviations, `(n,)`. Rows with equal ones leave together, in proportion.
        fractions: Removed shares of rows, at least 0 and below 1.

    Returns:
        Root-mean-square error of the remaining rows over that of all, of the shape of `fractions`; 1 where none is
        removed. With absolute errors in place of `std` it is the oracle's curve, the lowest possible one.

    References:
        Ilg et al. (2018), doi:10.1007/978-3-030-01234-2_40.
    """
    return _curve(TieGroups(std), error**2, np.ones(len(error)), np.asarray(fractions))


def ause(error: NDArray, std: NDArray) -> Statistic:
    """Return the area between the sparsification curve and the oracle's, 0 for the order of the true errors.

    Args:
        error: Measurement minus mean, `(n,)`.
        std: Standard deviations, `(n,)`; their order alone matters.

    Raises:
        UndefinedMetricError: With fewer than two rows, or where all errors are 0.

    References:
        Ilg et al. (2018), doi:10.1007/978-3-030-01234-2_40.
    """
    _check_errors(error)
    predicted, oracle, squared = TieGroups(std), TieGroups(np.abs(error)), error**2

    def area(counts: NDArray) -> float:
        curve, best = (_curve(groups, squared, counts, FRACTIONS) for groups in (predicted, oracle))
        return float(np.trapezoid(curve - best, FRACTIONS))

    return area


def aurg(error: NDArray, std: NDArray) -> Statistic:
    """Return the area between the flat curve of a random order and the sparsification curve; above 0 is informative.

    Args:
        error: Measurement minus mean, `(n,)`.
        std: Standard deviations, `(n,)`; a constant gives 0.

    Raises:
        UndefinedMetricError: With fewer than two rows, or where all errors are 0.

    References:
        Poggi, Aleotti, Tosi, Mattoccia (2020), doi:10.1109/CVPR42600.2020.00329.
    """
    _check_errors(error)
    predicted, squared = TieGroups(std), error**2

    def area(counts: NDArray) -> float:
        return float(np.trapezoid(1 - _curve(predicted, squared, counts, FRACTIONS), FRACTIONS))

    return area


def _curve(groups: TieGroups, squared: NDArray, counts: NDArray, fractions: NDArray) -> NDArray:
    """Return the relative error of the least uncertain rows, interpolated within a group of equal ones."""
    remaining = (1 - fractions) * counts.sum()
    rows, errors = (np.concatenate([[0.0], np.cumsum(groups.sums(part))]) for part in (counts, counts * squared))
    if errors[-1] == 0:
        return np.full_like(fractions, np.nan)
    mean_squared = np.interp(remaining, rows, errors) / remaining
    return np.sqrt(mean_squared / (errors[-1] / rows[-1]))


def _check_rows(error: NDArray) -> None:
    if len(error) < 2:
        raise UndefinedMetricError(f"{len(error)} measured rows, at least 2 are needed")


def _check_errors(error: NDArray) -> None:
    _check_rows(error)
    if not error.any():
        raise UndefinedMetricError("all errors are 0")
