"""Heads: how features become output columns, and what every column means.

A head is a small immutable object that is given to a builder. Called with features and a number of targets K
it adds float32 layers, the last of which is named "output". The columns come in groups of K: the means of all
targets first, then the second group for all targets, and so on. `output_columns` reads the meaning back.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import keras
from keras import ops

from degu.errors import ConfigError
from degu.uncertainty.spread import Unit


class Column(NamedTuple):
    """Meaning of one output column.

    Attributes:
        target: Index of the target, from 0.
        meaning: "mean", "aleatoric", or a parameter of the evidential distribution: "nu", "alpha", "beta".
        unit: "std", "var" or "logvar" for a spread, None otherwise.
    """

    target: int
    meaning: str
    unit: Unit | None = None


class HeadLayer(keras.layers.Layer):
    """Abstract last layer: constrains raw columns of shape (batch, groups x K)."""

    groups: tuple[tuple[str, Unit | None], ...] = ()

    def columns(self, width: int) -> tuple[Column, ...]:
        """Return the meaning of `width` output columns, in order."""
        num_targets = width // len(self.groups)
        return tuple(Column(target, *group) for group in self.groups for target in range(num_targets))

    def build(self, input_shape: Sequence[int]) -> None:
        """Check that the columns can be divided into the head's groups."""
        if input_shape[-1] % len(self.groups):
            raise ConfigError(
                f"{type(self).__name__}: expected a multiple of {len(self.groups)} columns, received {input_shape[-1]}"
            )
        self.built = True

    def compute_output_shape(self, input_shape: Sequence[int]) -> tuple[int | None, ...]:
        """Return the input shape: a head changes values only."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="degu")
class GaussianHead(HeadLayer):
    """Mean and spread of a normal distribution: columns [mean_1..mean_K, spread_1..spread_K].

    Args:
        unit: What the spread columns hold: "std", "var" or "logvar" (natural logarithm of the variance).
        floor: Smallest standard deviation the layer can put out, in units of the target.
        **kwargs: `keras.layers.Layer` arguments such as `name` and `dtype`.

    Raises:
        ConfigError: If `unit` is unknown or `floor` is negative.
    """

    def __init__(self, unit: Unit = "std", floor: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if unit not in get_args(Unit):
            raise ConfigError(f"GaussianHead unit: expected one of {', '.join(get_args(Unit))}, received {unit!r}")
        if floor < 0:
            raise ConfigError(f"GaussianHead floor: expected a standard deviation >= 0, received {floor!r}")
        self.unit = unit
        self.floor = floor
        self.groups = (("mean", None), ("aleatoric", unit))

    def call(self, inputs: Any) -> Any:
        """Leave the means as they are and make the spread at least `floor`."""
        mean, raw = ops.split(inputs, 2, axis=-1)
        if self.unit == "std":
            spread = ops.softplus(raw) + self.floor
        elif self.unit == "var":
            spread = ops.softplus(raw) + self.floor**2
        else:
            spread = ops.logaddexp(raw, 2 * math.log(self.floor)) if self.floor else raw
        return ops.concatenate([mean, spread], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "unit": self.unit, "floor": self.floor}


@keras.saving.register_keras_serializable(package="degu")
class EvidentialHead(HeadLayer):
    """Normal-inverse-gamma parameters: columns [gamma_1..K, nu_1..K, alpha_1..K, beta_1..K].

    gamma is unconstrained, nu > 0, alpha > 1 and beta > 0 through softplus.

    Args:
        floor: Added to nu, alpha - 1 and beta, which a softplus alone can round to 0.
        **kwargs: `keras.layers.Layer` arguments such as `name` and `dtype`.

    Raises:
        ConfigError: If `floor` is not positive.

    References:
        Amini, Schwarting, Soleimany, Rus (2020), "Deep evidential regression", arXiv:1910.02600.
    """

    groups = (("mean", None), ("nu", None), ("alpha", None), ("beta", None))

    def __init__(self, floor: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if floor <= 0:
            raise ConfigError(f"EvidentialHead floor: expected a number > 0, received {floor!r}")
        self.floor = floor

    def call(self, inputs: Any) -> Any:
        """Constrain the four groups of columns."""
        gamma, nu, alpha, beta = ops.split(inputs, 4, axis=-1)
        nu, alpha, beta = (ops.softplus(raw) + self.floor for raw in (nu, alpha, beta))
        return ops.concatenate([gamma, nu, alpha + 1, beta], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "floor": self.floor}


class Head(ABC):
    """Abstract head: adds the last layers of a model."""

    @abstractmethod
    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return the output columns for features of shape (batch, features)."""


@dataclasses.dataclass(frozen=True)
class Linear(Head):
    """One linear column a target: a plain regression, or a student whose columns the distillation names."""

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, num_targets)."""
        return keras.layers.Dense(num_targets, dtype="float32", name="output")(features)


@dataclasses.dataclass(frozen=True)
class Gaussian(Head):
    """Mean and spread for every target, for `degu.losses.GaussianNLL` or `BetaNLL` of the same unit.

    Args:
        unit: "std", "var" or "logvar".
        floor: Smallest standard deviation, in units of the target.
    """

    unit: Unit = "std"
    floor: float = 1e-3

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, 2 x num_targets): means, then spreads."""
        raw = keras.layers.Dense(2 * num_targets, dtype="float32", name="head")(features)
        return GaussianHead(self.unit, self.floor, dtype="float32", name="output")(raw)


@dataclasses.dataclass(frozen=True)
class Evidential(Head):
    """Normal-inverse-gamma parameters for every target, for `degu.losses.EvidentialRegression`.

    Args:
        floor: Smallest value of nu, alpha - 1 and beta.
    """

    floor: float = 1e-6

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, 4 x num_targets): gamma, nu, alpha, beta."""
        raw = keras.layers.Dense(4 * num_targets, dtype="float32", name="head")(features)
        return EvidentialHead(self.floor, dtype="float32", name="output")(raw)


LINEAR = Linear()


def output_columns(model: keras.Model) -> tuple[Column, ...]:
    """Return the meaning of every output column of a model.

    A model without a `HeadLayer` predicts means only. What the columns of a distilled student stand for is
    known by its distillation targets, not by the model.

    Args:
        model: Model with one output of shape (batch, columns).

    Returns:
        One `Column` for each output column, in order.
    """
    width = model.output_shape[-1]
    layer = _head_layer(model)
    return layer.columns(width) if layer else tuple(Column(target, "mean") for target in range(width))


def _head_layer(model: keras.Model) -> HeadLayer | None:
    """Find the head layer, looking into nested models."""
    for layer in reversed(model.layers):
        found = _head_layer(layer) if isinstance(layer, keras.Model) else layer
        if isinstance(found, HeadLayer):
            return found
    return None
