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
class DistillationLoss(MaskedMSE):
    """Mean squared error with a weight for every output column.

    The loss of a sequence is the weighted mean over its measured columns: equal weights give `MaskedMSE`.

    Args:
        column_weights: Weight of each column, in order; at least one above 0.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    Raises:
        ConfigError: If the weights cannot be used.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3 (equal weights).
    """

    def __init__(
        self,
        column_weights: Sequence[float],
        reduction: str = "sum_over_batch_size",
        name: str = "distillation",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        if not all(0 <= weight < float("inf") for weight in column_weights) or not sum(column_weights):
            raise ConfigError(
                "DistillationLoss column_weights: expected finite weights >= 0, at least one above 0, "
                f"received {column_weights!r}"
            )
        self.weights = tuple(float(weight) for weight in column_weights)

    def column_weights(self, num_columns: int) -> list[float]:
        """Return the weight of every column."""
        if num_columns != len(self.weights):
            raise ConfigError(f"DistillationLoss: expected {len(self.weights)} columns, received {num_columns}")
        return list(self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "column_weights": list(self.weights)}
