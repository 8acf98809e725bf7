"""Squared errors: with missing targets, and with weights for the heads of a student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from degu.errors import ConfigError
from degu.losses.columnwise import ColumnwiseLoss


@keras.saving.register_keras_serializable(package="degu")
class MaskedMSE(ColumnwiseLoss):
    """Mean squared error over the measured columns; the usual one where no target is NaN.

    Args:
        reduction: Keras reduction over the batch.
        name: Name of the loss.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "masked_mse") -> None:
        super().__init__(name=name, reduction=reduction)

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the squared error of every entry."""
        return ops.square(predicted[0] - targets)


@keras.saving.register_keras_serializable(package="degu")
class DistillationLoss(ColumnwiseLoss):
    """Mean squared error of a student with one weight for each group of columns.

    The columns of targets and predictions are the groups mean, epistemic and, where there is one, aleatoric,
    each of `num_targets` columns. The loss is the weighted mean: equal weights give the mean squared error.

    Args:
        num_targets: Targets in each group.
        head_weights: Weight of each group, in the order of the columns; at least one above 0.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    Raises:
        ConfigError: If `num_targets` or the weights cannot be used.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3 (equal weights).
    """

    def __init__(
        self,
        num_targets: int,
        head_weights: Sequence[float] = (1.0, 1.0),
        reduction: str = "sum_over_batch_size",
        name: str = "distillation",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        if num_targets < 1:
            raise ConfigError(f"DistillationLoss num_targets: expected 1 or more, received {num_targets!r}")
        if not all(0 <= weight < float("inf") for weight in head_weights) or not sum(head_weights):
            raise ConfigError(
                "DistillationLoss head_weights: expected finite weights >= 0, at least one above 0, "
                f"received {head_weights!r}"
            )
        self.num_targets = num_targets
        self.head_weights = tuple(float(weight) for weight in head_weights)

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the squared error of every entry."""
        return ops.square(predicted[0] - targets)

    def column_weights(self, num_columns: int) -> list[float]:
        """Return the weight of every column: that of its group."""
        expected = self.num_targets * len(self.head_weights)
        if num_columns != expected:
            raise ConfigError(
                f"DistillationLoss: expected {expected} columns ({len(self.head_weights)} groups of "
                f"{self.num_targets} targets), received {num_columns}. Give one head weight for each group"
            )
        return [weight for weight in self.head_weights for _ in range(self.num_targets)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {
            **super().get_config(),
            "num_targets": self.num_targets,
            "head_weights": list(self.head_weights),
        }
