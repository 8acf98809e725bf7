"""Reverse complements."""

from __future__ import annotations

from typing import Any

import keras

from degu.augment.base import RowAugmentation
from degu.augment.checks import check_between
from degu.augment.rows import Rows
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomReverseComplement(RowAugmentation):
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

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Turn the chosen ones of the sequences."""
        chosen = keras.random.uniform((rows.batch,), dtype="float32", seed=seed) < self.probability
        return rows.where(chosen, rows.reverse_complement())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "probability": self.probability}
