"""Reverse complements."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.augment.base import Augmentation, gate
from degu.augment.checks import check_between
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomReverseComplement(Augmentation):
    """Replace each sequence by its reverse complement with a given probability.

    Args:
        probability: Chance of each sequence, in [0, 1].
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: If `probability` is outside its range.
    """

    def __init__(self, probability: float = 0.5, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_between(type(self).__name__, "probability", probability, 0.0, 1.0)
        self.probability = probability

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Turn the chosen ones of the sequences (B, L, 4)."""
        chosen = keras.random.uniform((ops.shape(x)[0],), dtype="float32", seed=seed) < self.probability
        # Reversing the base axis complements, because the bases stand in the order A, C, G, T.
        return gate(chosen, x, ops.flip(x, axis=(1, 2)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "probability": self.probability}
