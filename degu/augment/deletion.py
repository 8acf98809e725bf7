"""Deletions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.checks import check_lengths
from degu.augment.sampling import pad_random, random_integers, take_positions
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomDeletion(Augmentation):
    """Delete one segment of every sequence and keep the length with random DNA at both ends.

    The segment's length d is uniform on delete_min ... delete_max, its start uniform on the L - d + 1 places
    where it fits. Of the d new bases floor(d / 2) stand at the left end and the others at the right.

    Args:
        delete_min: Shortest deletion, in bases.
        delete_max: Longest deletion, in bases, at most the length of the sequence.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: Unless 0 <= delete_min <= delete_max.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """

    def __init__(self, delete_min: int = 0, delete_max: int = 20, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_lengths(type(self).__name__, ("delete_min", delete_min), ("delete_max", delete_max))
        self.delete_min = delete_min
        self.delete_max = delete_max

    @property
    def minimum_length(self) -> int:
        """Shortest sequence, in bases, that can be augmented."""
        return max(1, self.delete_max)

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Delete a segment of each of the sequences (B, L, 4)."""
        length = x.shape[1]
        deleted = random_integers(self.delete_min, self.delete_max, ops.shape(x)[0], seed)
        start = random_integers(0, length - deleted, ops.shape(x)[0], seed)

        place = ops.arange(length, dtype="int32")[None, :]
        offset = self.delete_max // 2 - deleted // 2
        source = place + ops.where(place < start + deleted // 2, offset, offset + deleted)
        return take_positions(pad_random(x, self.delete_max, seed), source)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "delete_min": self.delete_min, "delete_max": self.delete_max}
