"""How a prediction becomes an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from degu.errors import ConfigError, nearest
from degu.metrics import Interval

GAUSSIAN = "gaussian"
METHODS = ("conformal_absolute", "conformal_normalized", "variance_scaling", GAUSSIAN)
"""What an interval can be made by; `gaussian` takes the predicted standard deviation as it is."""


@dataclass(frozen=True, eq=False)
class IntervalRule:
    """How a prediction becomes an interval at one confidence level: `mean ± (absolute + relative * std)`.

    Attributes:
        confidence_level: Probability that the interval holds a measurement.
        methods: By target, an element of `METHODS`.
        absolute: Half width in the unit of the target, `(K,)`.
        relative: Half width in standard deviations that the model predicts, `(K,)`.
    """

    confidence_level: float
    methods: tuple[str, ...]
    absolute: NDArray
    relative: NDArray

    def interval(self, mean: ArrayLike, std: ArrayLike) -> Interval:
        """Return the interval `(N, K)` of predicted means and standard deviations `(N, K)`."""
        mean = np.asarray(mean, dtype=np.float64)
        half = np.where(self.relative == 0, 0.0, self.relative * np.asarray(std, dtype=np.float64)) + self.absolute
        return Interval(mean - half, mean + half)


def uncalibrated(names: Sequence[str], confidence_level: float = 0.9) -> IntervalRule:
    """Return intervals of a normal distribution with the standard deviation that a model predicts.

    It is the total where the model has an aleatoric column, and the epistemic one alone otherwise, which leaves out the
    measurement noise: such intervals hold too few measurements.

    Raises:
        ConfigError: When the level is not above 0 and below 1.
    """
    check_rule(confidence_level, GAUSSIAN)
    relative = np.full(len(names), normal_width(confidence_level))
    return IntervalRule(confidence_level, (GAUSSIAN,) * len(names), np.zeros(len(names)), relative)


def normal_width(confidence_level: float) -> float:
    """Return the half width of a central interval of the standard normal distribution."""
    return float(stats.norm.ppf((1 + confidence_level) / 2))


def check_rule(confidence_level: float, method: str | None) -> None:
    """Raise a `ConfigError` unless the level is above 0 and below 1 and the method, if any, exists."""
    if not 0 < confidence_level < 1:
        raise ConfigError(f"Expected a confidence level above 0 and below 1. Received: {confidence_level:g}")
    if method is not None and method not in METHODS:
        raise ConfigError(
            f"There is no interval method {method!r}.{nearest(method, METHODS)} There are: {', '.join(METHODS)}"
        )
