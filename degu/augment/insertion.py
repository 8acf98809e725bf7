"""Insertions."""

from __future__ import annotations

from typing import Any

import keras

from degu.augment.base import RowAugmentation
from degu.augment.checks import check_lengths
from degu.augment.rows import Rows
from degu.augment.sampling import integers, uniforms
from degu.augment.seeds import SeedStream
from degu.errors import ConfigError


@keras.saving.register_keras_serializable(package="degu")
class RandomInsertion(RowAugmentation):
    """Insert a stretch of random DNA into every sequence.

    The stretch's length d is uniform on insert_min ... insert_max, its place uniform on the L + 1 gaps, ends
    included. With `keep_length`, floor(d / 2) bases are then cut off at the left end and the others at the
    right. Without it the output always has L + insert_max bases: random DNA fills the ends in training
    (floor((insert_max - d) / 2) bases at the left) and N fills them at inference, so that two predictions
    agree.

    Args:
        insert_min: Shortest insertion, in bases.
        insert_max: Longest insertion, in bases.
        keep_length: Whether the output has the length of the input. False is the behaviour of evoaug_tf.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: Unless 0 <= insert_min <= insert_max and `keep_length` is a bool.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """

    def __init__(
        self,
        insert_min: int = 0,
        insert_max: int = 20,
        keep_length: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        check_lengths(type(self).__name__, ("insert_min", insert_min), ("insert_max", insert_max))
        if not isinstance(keep_length, bool):
            raise ConfigError(f"RandomInsertion: expected keep_length as True or False, received {keep_length!r}")
        self.insert_min = insert_min
        self.insert_max = insert_max
        self.keep_length = keep_length

    @property
    def added_length(self) -> int:
        """Bases by which the output is longer than the input."""
        return 0 if self.keep_length else self.insert_max

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Insert random DNA into each sequence."""
        if self.insert_max == 0:
            return rows
        first, second = uniforms(2, rows.batch, seed)
        inserted = integers(first, self.insert_min, self.insert_max)
        gap = integers(second, 0, rows.length)

        # Where base 0 comes to stand, negative when the left end is cut off; and how much is added behind the last.
        start = -(inserted // 2) if self.keep_length else (self.insert_max - inserted) // 2
        behind = 0 if self.keep_length else self.insert_max - inserted - start
        # The stretch takes those of the new bases that the ends leave over.
        left = self.added_length // 2
        dna = rows.dna(self.insert_max, seed)
        pool = rows.between(dna[:, self.insert_max - left :], dna)
        opening = start + gap
        return pool.pieces(
            rows.length + self.added_length,
            offsets=[left - start, left + rows.length + behind - opening, left - start - inserted],
            ends=[opening, opening + inserted],
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "insert_min": self.insert_min,
            "insert_max": self.insert_max,
            "keep_length": self.keep_length,
        }
