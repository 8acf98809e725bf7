"""The base of all losses: shapes, missing targets, and the mean over columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras
from keras import ops

from degu.errors import DataError


class ColumnwiseLoss(keras.losses.Loss, ABC):
    """Abstract loss that scores every target column by itself.

    A subclass sets `groups`, the number of predicted columns for each target column, and `elementwise`.
    """

    groups: int = 1

    @abstractmethod
    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the loss of every entry.

        Args:
            targets: Shape (batch, targets), free of NaN.
            *predicted: `groups` tensors of the same shape, the means first.

        Returns:
            Tensor of shape (batch, targets).
        """

    def column_weights(self, num_columns: int) -> list[float]:
        """Return the weight of each target column in the mean over columns."""
        return [1.0] * num_columns

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every sample: the weighted mean over its measured columns.

        Args:
            y_true: Targets, shape (batch, targets) or (batch,); NaN where not measured.
            y_pred: Predictions, shape (batch, groups x targets).

        Returns:
            Tensor of shape (batch,).

        Raises:
            DataError: If the shapes do not fit together.
        """
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        targets = ops.expand_dims(y_true, -1) if len(y_true.shape) == 1 else y_true
        self._check_shapes(tuple(targets.shape), tuple(y_pred.shape))
        predicted = ops.split(y_pred, self.groups, axis=-1)
        measured = ops.logical_not(ops.isnan(targets))
        # A missing target becomes its own prediction: an overflow there would make the masked gradient NaN.
        targets = ops.where(measured, targets, ops.stop_gradient(predicted[0]))
        losses = self.elementwise(targets, *predicted)
        weights = ops.convert_to_tensor(self.column_weights(targets.shape[-1]), dtype=losses.dtype)
        weights = ops.cast(measured, losses.dtype) * weights
        total = ops.sum(weights, axis=-1)
        return ops.sum(weights * losses, axis=-1) / ops.where(total > 0, total, 1.0)

    def _check_shapes(self, targets: tuple[int | None, ...], predicted: tuple[int | None, ...]) -> None:
        """Refuse shapes that would broadcast against each other."""
        if len(targets) != 2 or len(predicted) != 2 or predicted[1] != self.groups * (targets[1] or 0):
            raise DataError(
                f"{type(self).__name__}: expected targets of shape (batch, K) and predictions of shape "
                f"(batch, {self.groups} x K), received {targets} and {predicted}. Check the model's head and "
                "the number of targets"
            )
