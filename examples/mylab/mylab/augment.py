"""Augmentations: Keras layers that change one-hot sequences in training."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.augment import Augmentation, SeedStream


@keras.saving.register_keras_serializable(package="mylab")
class RandomMask(Augmentation):
    """Hide a stretch of every sequence: its bases become N.

    Args:
        length: Bases that are hidden.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, length: int = 10, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.length = length

    @property
    def minimum_length(self) -> int:
        """Shortest sequence that can be masked."""
        return self.length

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Hide a stretch of the sequences (B, L, 4) that starts at a random place."""
        positions = ops.arange(x.shape[1])
        start = keras.random.randint((ops.shape(x)[0], 1), 0, x.shape[1] - self.length + 1, seed=seed)
        hidden = ops.logical_and(positions >= start, positions < start + self.length)
        return ops.where(hidden[..., None], ops.zeros_like(x), x)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "length": self.length}
