"""Translocations: the two pieces of a cut sequence change places."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.augment.base import RowAugmentation
from degu.augment.checks import check_lengths
from degu.augment.rows import Rows
from degu.augment.sampling import integers, uniforms
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomTranslocation(RowAugmentation):
    """Roll every sequence by a shift of its own; what leaves at one end enters at the other.

    The size of the shift is uniform on shift_min ... shift_max, its direction left or right with equal
    probability.

    Args:
        shift_min: Smallest shift, in bases.
        shift_max: Largest shift, in bases, less than the length of the sequence.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: Unless 0 <= shift_min <= shift_max.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """

    def __init__(self, shift_min: int = 0, shift_max: int = 20, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_lengths(type(self).__name__, ("shift_min", shift_min), ("shift_max", shift_max))
        self.shift_min = shift_min
        self.shift_max = shift_max

    @property
    def minimum_length(self) -> int:
        """Shortest sequence, in bases, that can be augmented."""
        return self.shift_max + 1

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Roll the sequences."""
        first, second = uniforms(2, self._shifts(rows), seed)
        size = integers(first, self.shift_min, self.shift_max)
        # To the right, or as far to the left.
        right = ops.where(second < 0.5, size, rows.length - size)
        return rows.pieces(rows.length, offsets=[rows.length - right, -right], ends=[right])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "shift_min": self.shift_min, "shift_max": self.shift_max}

    def _shifts(self, rows: Rows) -> int | keras.KerasTensor:
        """Return how many shifts to draw."""
        return rows.batch


@keras.saving.register_keras_serializable(package="degu")
class RandomTranslocationBatch(RandomTranslocation):
    """Roll all sequences of a batch by one shift; arguments and draw as in `RandomTranslocation`."""

    def _shifts(self, rows: Rows) -> int | keras.KerasTensor:
        return 1
