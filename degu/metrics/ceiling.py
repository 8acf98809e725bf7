"""How well a perfect model could predict noisy measurements."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Ceiling(NamedTuple):
    """The noise ceiling of one target.

    Attributes:
        pearson_r: Correlation of the measurements with their own expectation.
        mse: Squared error of that expectation: the variance of the noise.
        replicates: Number of replicates behind each measurement; None where it is not known. Then the noise is taken to
            be that of one replicate, `pearson_r` is the least and `mse` the most that the ceiling can be.
    """

    pearson_r: float
    mse: float
    replicates: int | None


def noise_ceiling(measured: ArrayLike, std: ArrayLike, replicates: int | None = None) -> Ceiling | None:
    """Return the ceiling of measurements whose deviation over replicates is known.

    A measurement that is the mean of R replicates with standard deviation s has noise of variance s^2 / R. Noise and
    truth are independent, so the truth correlates with the measurement as sqrt(1 - noise variance / variance).

    Args:
        measured: Shape (N,), in the unit of the target; rows with NaN are left out.
        std: Standard deviation over replicates, shape (N,), same unit.
        replicates: R, or None where it is not known.

    Returns:
        The ceiling; None for fewer than two rows with both values, or where all measurements are equal.

    References:
        Spearman (1904), "The proof and measurement of association between two things", doi:10.2307/1412159.
    """
    values, deviations = np.asarray(measured), np.asarray(std)
    rows = np.isfinite(values) & np.isfinite(deviations)
    if rows.sum() < 2:
        return None
    noise = float(np.mean(np.square(deviations[rows], dtype=np.float64))) / (replicates or 1)
    variance = float(np.var(values[rows], dtype=np.float64))
    if not variance > 0:
        return None
    return Ceiling(float(np.sqrt(max(0.0, 1 - noise / variance))), noise, replicates)
