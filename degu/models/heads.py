"""Heads: how features become output columns, and what a network with these columns learns from.

A head is a small immutable object that is given to a builder. Called with features and a number of targets K
it adds layers in full precision, the last of which is named "output". The columns come in groups: the means of all K
targets first, then a second group, and so on. `output_columns` reads the meaning back. A head also knows the matrix
that its network learns from (`targets`) and how a student of such networks ends (`student`).
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from degu.errors import ConfigError, DataError
from degu.models.head_layers import (
    Column,
    EvidentialHead,
    GaussianHead,
    HeadLayer,
    ProbabilityHead,
    ReplicatesHead,
    checked_targets,
    output_dtype,
)
from degu.uncertainty.spread import Unit


class Measurements(Protocol):
    """What was measured on N sequences, as `degu.data.Split` holds it."""

    @property
    def targets(self) -> NDArray[np.float32]:
        """Measured values (N, K); NaN where not measured."""

    @property
    def target_std(self) -> NDArray[np.float32] | None:
        """Standard deviations over replicates (N, K), NaN where unknown; None without replicates."""


class Head(ABC):
    """Abstract head: adds the last layers of a model."""

    @abstractmethod
    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return the output columns for features of shape (batch, features)."""

    def targets(self, data: Measurements, names: Sequence[str]) -> NDArray[np.float32]:
        """Return the matrix that a network with this head learns from: here, the measured values.

        Args:
            data: Measurements of N sequences.
            names: The K target names, for messages.

        Returns:
            Shape (N, columns to learn); NaN where not measured.
        """
        return data.targets

    def student(self, num_targets: int) -> Head:
        """Return the head of a student of such networks: here, one linear column for each thing it learns."""
        return LINEAR


@dataclasses.dataclass(frozen=True)
class Linear(Head):
    """One linear column a target: a plain regression, or a student whose columns the distillation names."""

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, num_targets)."""
        return keras.layers.Dense(num_targets, dtype=output_dtype(), name="output")(features)


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
        raw = keras.layers.Dense(2 * num_targets, dtype=output_dtype(), name="head")(features)
        return GaussianHead(self.unit, self.floor, dtype=output_dtype(), name="output")(raw)


@dataclasses.dataclass(frozen=True)
class Evidential(Head):
    """Normal-inverse-gamma parameters for every target, for `degu.losses.EvidentialRegression`.

    The likelihood fixes the predictive distribution, not how its variance is divided into noise and uncertainty: the
    aleatoric column can lie well below the true noise.

    Args:
        floor: Smallest value of nu, alpha - 1 and beta.

    References:
        Meinert, Gawlikowski, Lavin (2022), "The unreasonable effectiveness of deep evidential regression",
        arXiv:2205.10060.
    """

    floor: float = 1e-6

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, 4 x num_targets): gamma, nu, alpha, beta."""
        raw = keras.layers.Dense(4 * num_targets, dtype=output_dtype(), name="head")(features)
        return EvidentialHead(self.floor, dtype=output_dtype(), name="output")(raw)


@dataclasses.dataclass(frozen=True)
class Replicates(Head):
    """Linear means, and a linear standard deviation over replicates for some targets, all learnt as a regression.

    The standard deviation of n replicates is on average below that of a measurement (by a factor of 0.80 for two,
    0.89 for three), and so is what a network learns from it.

    Args:
        of: Targets whose standard deviation over replicates is learnt, counted from 0; None for all.

    Raises:
        ConfigError: If `of` is empty, or names a target twice.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """

    of: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.of is not None:
            object.__setattr__(self, "of", checked_targets(self.of))

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, num_targets + replicated targets): means, then standard deviations."""
        of = self._of(num_targets)
        raw = keras.layers.Dense(num_targets + len(of), dtype=output_dtype(), name="head")(features)
        return ReplicatesHead(of, dtype=output_dtype(), name="output")(raw)

    def targets(self, data: Measurements, names: Sequence[str]) -> NDArray[np.float32]:
        """Return the measured values, then the standard deviations over replicates of the targets `of`.

        Raises:
            ConfigError: If the data have no replicates, or none of one of these targets.
        """
        std = data.target_std
        if std is None:
            raise ConfigError(
                "Expected data with standard deviations over replicates, because the head is Replicates. Received: "
                "none. Name them in the data (replicates or target_std), or choose another model.head"
            )
        of = self._of(std.shape[1])
        known = [index for index in range(std.shape[1]) if not np.isnan(std[:, index]).all()]
        for index in of:
            if index not in known:
                wanted = repr(names[index]) if index < len(names) else f"number {index}, counted from 0"
                raise ConfigError(
                    f"Expected a standard deviation over replicates of target {wanted}, because the head is "
                    f"Replicates. Received: none. Set model.head.of to some of {known}"
                )
        return np.concatenate([data.targets, std[:, list(of)]], axis=1)

    def _of(self, num_targets: int) -> tuple[int, ...]:
        return tuple(range(num_targets)) if self.of is None else self.of


@dataclasses.dataclass(frozen=True)
class Probability(Head):
    """Probability of a positive label, for `degu.losses.BinaryCrossentropy`; targets are not standardised.

    Args:
        num_probabilities: How many columns are probabilities; None for all. The student of a classifier has
            probabilities first and linear columns for their spread behind them.
    """

    num_probabilities: int | None = None

    def __call__(self, features: keras.KerasTensor, num_targets: int) -> keras.KerasTensor:
        """Return (batch, num_targets), each between 0 and 1 or, behind the probabilities, linear."""
        raw = keras.layers.Dense(num_targets, dtype=output_dtype(), name="head")(features)
        return ProbabilityHead(self.num_probabilities, dtype=output_dtype(), name="output")(raw)

    def targets(self, data: Measurements, names: Sequence[str]) -> NDArray[np.float32]:
        """Return the labels.

        Raises:
            DataError: If a measured value is neither 0 nor 1.
        """
        values = data.targets
        wrong = np.argwhere(~np.isin(values, (0.0, 1.0)) & ~np.isnan(values))
        if wrong.size:
            row, column = wrong[0]
            raise DataError(
                f"Target {names[column]!r}: expected labels 0 or 1 (NaN = not measured), because the head is "
                f"Probability. Received: {values[row, column]:g} in row {row}, counted from 0. Choose a target with "
                "labels, or another model.head"
            )
        return values

    def student(self, num_targets: int) -> Head:
        """Return a head with probabilities for the means and linear columns for their spread."""
        return Probability(num_targets)


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
    layer = head_layer(model)
    return layer.columns(width) if layer else tuple(Column(target, "mean") for target in range(width))


def head_layer(model: keras.Model) -> HeadLayer | None:
    """Return the head layer of a model, also of a nested one; None where it has none."""
    for layer in reversed(model.layers):
        found = head_layer(layer) if isinstance(layer, keras.Model) else layer
        if isinstance(found, HeadLayer):
            return found
    return None
