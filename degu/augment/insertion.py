"""Insertions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.checks import check_lengths
from degu.augment.sampling import pad_random, random_dna, random_integers, take_positions
from degu.augment.seeds import SeedStream
from degu.errors import ConfigError


@keras.saving.register_keras_serializable(package="degu")
class RandomInsertion(Augmentation):
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

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Insert random DNA into each of the sequences (B, L, 4)."""
        batch, length = ops.shape(x)[0], x.shape[1]
        inserted = random_integers(self.insert_min, self.insert_max, batch, seed)
        gap = random_integers(0, length, batch, seed)
        padded = pad_random(x, self.added_length, seed)
        pool = ops.concatenate([padded, random_dna(batch, self.insert_max, x.dtype, seed)], axis=1)

        # Where base 0 stands in the output; negative when the left end is cut off.
        first = -(inserted // 2) if self.keep_length else (self.insert_max - inserted) // 2
        place = ops.arange(length + self.added_length, dtype="int32")[None, :]
        before = self.added_length // 2 - first
        within = padded.shape[1] - gap - first
        offset = ops.where(place < gap + first + inserted, within, before - inserted)
        offset = ops.where(place < gap + first, before, offset)
        return take_positions(pool, place + offset)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "insert_min": self.insert_min,
            "insert_max": self.insert_max,
            "keep_length": self.keep_length,
        }
