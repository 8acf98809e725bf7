"""Losses: Keras losses; those over degu's base leave out targets that were not measured."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.losses import ColumnwiseLoss


@keras.saving.register_keras_serializable(package="mylab")
class Huber(ColumnwiseLoss):
    """Squared error for small errors and absolute error for large ones, so that outliers pull less.

    Args:
        delta: Error at which the one becomes the other, in the unit of the (standardised) targets.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    References:
        Huber (1964), "Robust estimation of a location parameter", doi:10.1214/aoms/1177703732.
    """

    def __init__(self, delta: float = 1.0, reduction: str = "sum_over_batch_size", name: str = "huber") -> None:
        super().__init__(name=name, reduction=reduction)
        self.delta = delta

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the loss of every entry."""
        error = ops.abs(predicted[0] - targets)
        small = ops.minimum(error, self.delta)
        return small * (error - small / 2)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "delta": self.delta}
