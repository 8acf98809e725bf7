"""Head layers: the last layer of a network, which constrains its columns and says what they mean."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import keras
from keras import ops

from degu.errors import ConfigError
from degu.uncertainty.spread import Unit


def output_dtype() -> str:
    """Return the dtype of output columns: that of variables, float32 in mixed precision and float64 where asked for."""
    return str(keras.config.dtype_policy().variable_dtype)


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


class HeadLayer(keras.layers.Layer, ABC):
    """Abstract last layer of a network, of shape (batch, columns) in and out.

    Attributes:
        is_identity: Whether the layer leaves its input as it is, so that the layer before it decides the outputs.
        has_units: Whether the columns can be brought to other units of the targets.
    """

    is_identity = False
    has_units = True

    @abstractmethod
    def columns(self, width: int) -> tuple[Column, ...]:
        """Return the meaning of `width` output columns, in order."""

    def compute_output_shape(self, input_shape: Sequence[int]) -> tuple[int | None, ...]:
        """Return the input shape: a head changes values only."""
        return tuple(input_shape)


class GroupedHead(HeadLayer):
    """Abstract head layer whose columns come in groups with one column for each target."""

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


@keras.saving.register_keras_serializable(package="degu")
class GaussianHead(GroupedHead):
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
class EvidentialHead(GroupedHead):
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


@keras.saving.register_keras_serializable(package="degu")
class ReplicatesHead(HeadLayer):
    """Means of all targets, then standard deviations of some: columns [mean_1..mean_K, std of each of `of`].

    All columns are linear, so the layer only names them.

    Args:
        of: Targets that have a column for their standard deviation over replicates, counted from 0.
        **kwargs: `keras.layers.Layer` arguments such as `name` and `dtype`.

    Raises:
        ConfigError: If `of` is empty, names a target twice, or names one that does not exist.
    """

    is_identity = True

    def __init__(self, of: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.of = checked_targets(of)

    def build(self, input_shape: Sequence[int]) -> None:
        """Check that the targets with replicates exist."""
        num_targets = input_shape[-1] - len(self.of)
        if max(self.of) >= num_targets:
            raise ConfigError(
                f"Replicates of: expected targets below {max(num_targets, 0)}, counted from 0, received {list(self.of)}"
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        return inputs

    def columns(self, width: int) -> tuple[Column, ...]:
        """Return the meaning of `width` output columns, in order."""
        means = (Column(target, "mean") for target in range(width - len(self.of)))
        return (*means, *(Column(target, "aleatoric", "std") for target in self.of))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "of": list(self.of)}


def checked_targets(of: Sequence[int]) -> tuple[int, ...]:
    """Return target numbers as a tuple.

    Raises:
        ConfigError: If there are none, one is there twice, or one is no number from 0.
    """
    wanted = tuple(of)
    if not wanted or len(set(wanted)) < len(wanted) or any(type(item) is not int or item < 0 for item in wanted):
        raise ConfigError(
            f"Replicates of: expected numbers of targets, counted from 0, each once and at least one, "
            f"received {list(wanted)}"
        )
    return wanted


@keras.saving.register_keras_serializable(package="degu")
class ProbabilityHead(GroupedHead):
    """Probabilities of a positive label: a sigmoid on the columns, or on the first of them.

    Args:
        num_probabilities: How many columns are probabilities; the others stay linear. None for all.
        **kwargs: `keras.layers.Layer` arguments such as `name` and `dtype`.

    Raises:
        ConfigError: If `num_probabilities` is below 1 or above the number of columns.
    """

    groups = (("mean", None),)
    has_units = False

    def __init__(self, num_probabilities: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_probabilities is not None and num_probabilities < 1:
            raise ConfigError(f"Probability num_probabilities: expected 1 or more, received {num_probabilities!r}")
        self.num_probabilities = num_probabilities

    def build(self, input_shape: Sequence[int]) -> None:
        """Check that there are as many columns as probabilities."""
        if (self.num_probabilities or 0) > input_shape[-1]:
            raise ConfigError(
                f"Probability num_probabilities: expected at most {input_shape[-1]}, the number of columns, "
                f"received {self.num_probabilities}"
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Put the first columns between 0 and 1 and leave the others as they are."""
        if self.num_probabilities is None:
            return ops.sigmoid(inputs)
        raw, rest = ops.split(inputs, [self.num_probabilities], axis=-1)
        return ops.concatenate([ops.sigmoid(raw), rest], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "num_probabilities": self.num_probabilities}
