"""Deletions."""

from __future__ import annotations

from typing import Any

import keras

from degu.augment.base import RowAugmentation
from degu.augment.checks import check_lengths
from degu.augment.rows import Rows
from degu.augment.sampling import integers, uniforms
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomDeletion(RowAugmentation):
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

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Delete a segment of each sequence."""
        first, second = uniforms(2, rows.batch, seed)
        deleted = integers(first, self.delete_min, self.delete_max)
        start = integers(second, 0, rows.length - deleted)

        offset = self.delete_max // 2 - deleted // 2
        padded = rows.pad(self.delete_max, seed)
        return padded.pieces(rows.length, offsets=[offset, offset + deleted], ends=[start + deleted // 2])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "delete_min": self.delete_min, "delete_max": self.delete_max}
