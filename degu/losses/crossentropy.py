"""Binary cross-entropy: with missing labels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.losses.columnwise import ColumnwiseLoss


@keras.saving.register_keras_serializable(package="degu")
class BinaryCrossentropy(ColumnwiseLoss):
    """Negative log likelihood of labels 0 and 1 under predicted probabilities, over the measured columns.

    Args:
        reduction: Keras reduction over the batch.
        name: Name of the loss.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "binary_crossentropy") -> None:
        super().__init__(name=name, reduction=reduction)

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the negative log likelihood of every entry, in nats."""
        return ops.binary_crossentropy(targets, predicted[0])
