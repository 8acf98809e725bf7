"""Negative log likelihoods of a normal distribution with a predicted spread."""

from __future__ import annotations

import math
from typing import Any, get_args

import keras
from keras import ops

from degu.errors import ConfigError
from degu.losses.columnwise import ColumnwiseLoss
from degu.uncertainty.spread import Unit


class NormalLoss(ColumnwiseLoss):
    """Abstract loss of predictions [mean_1..mean_K, spread_1..spread_K].

    Args:
        unit: What the spread columns hold: "std", "var" or "logvar" (natural logarithm of the variance).
        floor: Smallest standard deviation that enters the loss, in units of the target.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    Raises:
        ConfigError: If `unit` is unknown or `floor` is not positive.
    """

    groups = 2

    def __init__(self, unit: Unit, floor: float, reduction: str, name: str) -> None:
        super().__init__(name=name, reduction=reduction)
        if unit not in get_args(Unit):
            raise ConfigError(f"{name} unit: expected one of {', '.join(get_args(Unit))}, received {unit!r}")
        if floor <= 0:
            raise ConfigError(f"{name} floor: expected a standard deviation > 0, received {floor!r}")
        self.unit = unit
        self.floor = floor

    def log_variance(self, spread: Any) -> Any:
        """Convert the spread columns to the logarithm of the variance, at least that of `floor`."""
        if self.unit == "std":
            return 2 * ops.log(ops.maximum(spread, self.floor))
        if self.unit == "var":
            return ops.log(ops.maximum(spread, self.floor**2))
        return ops.maximum(spread, 2 * math.log(self.floor))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "unit": self.unit, "floor": self.floor}


@keras.saving.register_keras_serializable(package="degu")
class GaussianNLL(NormalLoss):
    """Negative log likelihood of the targets under the predicted normal distributions.

    Args:
        unit: What the spread columns hold: "std", "var" or "logvar" (natural logarithm of the variance).
        full: Whether to include the constant log(2 pi) / 2, which has no gradient.
        floor: Smallest standard deviation that enters the loss, in units of the target.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    Raises:
        ConfigError: If `unit` is unknown or `floor` is not positive.

    References:
        Nix, Weigend (1994), "Estimating the mean and variance of the target probability distribution",
        doi:10.1109/ICNN.1994.374138.
    """

    def __init__(
        self,
        unit: Unit = "std",
        full: bool = True,
        floor: float = 1e-6,
        reduction: str = "sum_over_batch_size",
        name: str = "gaussian_nll",
    ) -> None:
        super().__init__(unit, floor, reduction, name)
        self.full = full

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the negative log likelihood of every entry, in nats."""
        mean, spread = predicted
        constant = math.log(2 * math.pi) / 2 if self.full else 0.0
        return _half_deviance(targets, mean, self.log_variance(spread)) + constant

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "full": self.full}


@keras.saving.register_keras_serializable(package="degu")
class BetaNLL(NormalLoss):
    """Normal negative log likelihood weighted by the predicted variance to the power of beta.

    The weight carries no gradient. Beta 0 is `GaussianNLL` without its constant; with beta 1 the means have
    the gradient of half the squared error. In between, entries of large variance keep a say in the mean.

    Args:
        beta: Power of the variance, 0 to 1.
        unit: What the spread columns hold: "std", "var" or "logvar" (natural logarithm of the variance).
        floor: Smallest standard deviation that enters the loss, in units of the target.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    Raises:
        ConfigError: If `beta` is outside 0 to 1, `unit` is unknown or `floor` is not positive.

    References:
        Seitzer, Tavakoli, Antic, Martius (2022), "On the pitfalls of heteroscedastic uncertainty estimation
        with probabilistic neural networks", arXiv:2203.09168.
    """

    def __init__(
        self,
        beta: float = 0.5,
        unit: Unit = "std",
        floor: float = 1e-6,
        reduction: str = "sum_over_batch_size",
        name: str = "beta_nll",
    ) -> None:
        super().__init__(unit, floor, reduction, name)
        if not 0 <= beta <= 1:
            raise ConfigError(f"{name} beta: expected a number from 0 to 1, received {beta!r}")
        self.beta = beta

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the weighted negative log likelihood of every entry."""
        mean, spread = predicted
        log_variance = self.log_variance(spread)
        weight = ops.stop_gradient(ops.exp(self.beta * log_variance))
        return weight * _half_deviance(targets, mean, log_variance)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "beta": self.beta}


def _half_deviance(targets: Any, mean: Any, log_variance: Any) -> Any:
    """Return log(sigma^2) / 2 + (target - mean)^2 / (2 sigma^2)."""
    return (log_variance + ops.square(targets - mean) * ops.exp(-log_variance)) / 2
