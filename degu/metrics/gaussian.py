"""A normal distribution as a prediction: its scores, its intervals and where the measurement lies in it.

Everything depends on the error, measurement minus predicted mean, and on the predicted standard deviation. A standard
deviation of 0 is a point mass: its CRPS is the absolute error, its intervals are points, its likelihood has no value.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from degu.metrics.intervals import Interval, check_confidence_level


def standardized(error: NDArray, std: NDArray) -> NDArray:
    """Return errors in standard deviations; of a point mass 0 where it is right and infinity where it is wrong."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((std == 0) & (error == 0), 0.0, error / std)


def gaussian_nll(error: NDArray, std: NDArray) -> NDArray:
    """Return the negative log-likelihood of each measurement, in nats, with its constant.

    Args:
        error: Measurement minus mean, any shape.
        std: Standard deviations above 0, same shape.
    """
    return np.log(std) + 0.5 * (np.log(2 * np.pi) + np.square(error / std))


def gaussian_crps(error: NDArray, std: NDArray) -> NDArray:
    """Return the continuous ranked probability score of each measurement, in the unit of the errors.

    Args:
        error: Measurement minus mean, any shape.
        std: Standard deviations, at least 0, same shape.

    References:
        Gneiting, Raftery, Westveld, Goldman (2005), doi:10.1175/MWR2904.1.
    """
    wide = std > 0
    z = error / np.where(wide, std, 1.0)
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    score = std * (z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return np.where(wide, score, np.abs(error))


def probability_integral_transform(error: NDArray, std: NDArray) -> NDArray:
    """Return the predicted probability of a value up to the measurement; uniform on [0, 1] if calibrated.

    References:
        Dawid (1984), doi:10.2307/2981683.
    """
    return special.ndtr(standardized(error, std))


def central_confidence(error: NDArray, std: NDArray) -> NDArray:
    """Return the confidence level of the narrowest central interval that holds the measurement, in [0, 1]."""
    return special.erf(np.abs(standardized(error, std)) / math.sqrt(2))


def gaussian_interval(mean: ArrayLike, std: ArrayLike, confidence_level: float) -> Interval:
    """Return the central interval of a normal distribution.

    Args:
        mean: `(N, K)`.
        std: Standard deviations `(N, K)`.
        confidence_level: Probability inside, above 0 and below 1.

    Raises:
        ValueError: When the level is outside its range.
    """
    check_confidence_level(confidence_level)
    mean, half = np.asarray(mean), special.ndtri(0.5 + confidence_level / 2) * np.asarray(std)
    return Interval(mean - half, mean + half)
