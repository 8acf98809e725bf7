"""An augmentation as an index: which row stands at which position.

Most augmentations compute nothing. They move the rows of a sequence, drop some, turn them, or put random bases among
them. The same change can be made on the numbers of the rows as on the rows, so a chain of changes moves one integer a
position, and the rows follow once, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from degu.augment.sampling import NUM_BASES, random_bases
from degu.augment.seeds import SeedStream

_UNKNOWN = NUM_BASES
_FIXED = np.eye(NUM_BASES + 1, NUM_BASES)


class Rows(NamedTuple):
    """A batch of sequences, held as rows or as the numbers of rows.

    The numbers 0 to 3 stand for A, C, G, T and 4 for N, as tokens do; from 5 up they count the rows of a batch. The
    complement of such a row r has the number 3 - r.

    Attributes:
        values: Rows (B, L, 4), or int32 numbers (B, L).
        pool: The rows (P, 4) that the numbers stand for, or None where `values` are rows.
        turned: Whether there may be numbers of complements.
    """

    values: keras.KerasTensor
    pool: keras.KerasTensor | None = None
    turned: bool = False

    @property
    def batch(self) -> int | keras.KerasTensor:
        """Number of sequences."""
        return ops.shape(self.values)[0]

    @property
    def length(self) -> int:
        """Positions of a sequence."""
        return self.values.shape[1]

    def numbered(self) -> Rows:
        """Return the sequences as numbers."""
        if self.pool is not None:
            return self
        numbers = ops.arange(self.batch * self.length, dtype="int32") + len(_FIXED)
        pool = ops.concatenate([ops.cast(_FIXED, self.values.dtype), _flat(self.values)], axis=0)
        return Rows(ops.reshape(numbers, (-1, self.length)), pool)

    def one_hot(self) -> keras.KerasTensor:
        """Return the sequences as rows (B, L, 4)."""
        if self.pool is None:
            return self.values
        if not self.turned:
            return _pick(self.pool, self.values)
        # Negative indices count from the end: N, then the complement of every row.
        complements = ops.flip(self.pool[_UNKNOWN:], axis=(0, 1))
        return ops.take(ops.concatenate([self.pool, complements], axis=0), self.values, axis=0)

    def take(self, index: keras.KerasTensor) -> Rows:
        """Pick positions, for every sequence its own, int32 (B, K) in 0 ... L - 1."""
        return self._replace(values=_pick(_flat(self.values), index + self._starts()))

    def pieces(self, length: int, offsets: Sequence[keras.KerasTensor], ends: Sequence[keras.KerasTensor]) -> Rows:
        """Make sequences out of stretches of themselves, for every sequence its own.

        Args:
            length: Positions of the new sequences.
            offsets: For each piece, from left to right, by how much (B, 1) an old position exceeds its new one.
            ends: For each piece but the last, the first new position (B, 1) behind it.

        Returns:
            Sequences of `length` positions.
        """
        place = ops.arange(length, dtype="int32")[None, :]
        starts = self._starts()
        offset = offsets[-1] + starts
        for earlier, end in zip(offsets[-2::-1], ends[::-1], strict=True):
            offset = ops.where(place < end, earlier + starts, offset)
        return self._replace(values=_pick(_flat(self.values), place + offset))

    def dna(self, length: int, seed: SeedStream) -> keras.KerasTensor:
        """Draw bases for every sequence, (B, length) in the form of `values`."""
        bases = random_bases(self.batch, length, seed)
        return bases if self.pool is not None else ops.one_hot(bases, NUM_BASES, dtype=self.values.dtype)

    def between(self, left: keras.KerasTensor, right: keras.KerasTensor) -> Rows:
        """Lengthen the sequences at both ends by what is given in the form of `values`."""
        return self._replace(values=ops.concatenate([left, self.values, right], axis=1))

    def pad(self, length: int, seed: SeedStream) -> Rows:
        """Lengthen the sequences by random bases, half at each end, the odd one at the right."""
        if length == 0:
            return self
        dna = self.dna(length, seed)
        return self.between(dna[:, : length // 2], dna[:, length // 2 :])

    def redraw(self, index: keras.KerasTensor, chosen: keras.KerasTensor, seed: SeedStream) -> Rows:
        """Put random bases in the place of others; N stays.

        Args:
            index: int32 positions (K, B) in 0 ... L - 1, all different within a sequence.
            chosen: Which of them to redraw, boolean (K, B).
            seed: Stream to draw from.

        Returns:
            Sequences of the same length, in the same form.
        """
        place = ops.reshape(index + self._starts()[:, 0], (-1,))
        present = _pick(_flat(self.values), place)
        redrawn = ops.logical_and(ops.reshape(chosen, (-1,)), self._known(present))
        bases = ops.reshape(random_bases(self.batch, index.shape[0], seed), (-1,))
        if self.pool is None:
            rows = ops.where(redrawn[:, None], ops.one_hot(bases, NUM_BASES, dtype=self.values.dtype), present)
            changed = ops.scatter_update(_flat(self.values), place[:, None], rows)
            return self._replace(values=ops.reshape(changed, (-1, self.length, NUM_BASES)))
        # The places differ, so that no sum has more than one term.
        change = ops.segment_sum(ops.where(redrawn, bases - present, 0), place, num_segments=self.batch * self.length)
        return self._replace(values=self.values + ops.reshape(change, (-1, self.length)))

    def reverse_complement(self) -> Rows:
        """Turn every sequence."""
        if self.pool is None:
            # Reversing the base axis complements, because the bases stand in the order A, C, G, T.
            return self._replace(values=ops.flip(self.values, axis=(1, 2)))
        numbers = ops.flip(self.values, axis=1)
        complements = ops.where(ops.equal(numbers, _UNKNOWN), _UNKNOWN, NUM_BASES - 1 - numbers)
        return self._replace(values=complements, turned=True)

    def where(self, mask: keras.KerasTensor, changed: Rows) -> Rows:
        """Take the changed form of some sequences.

        Args:
            mask: Boolean tensor (B,), or (1,) for one decision for the batch.
            changed: What became of these sequences, in the same form and length.
        """
        mask = ops.reshape(mask, (-1, *[1] * (len(self.values.shape) - 1)))
        return changed._replace(values=ops.where(mask, changed.values, self.values))

    def _starts(self) -> keras.KerasTensor:
        return ops.arange(self.batch, dtype="int32")[:, None] * self.length

    def _known(self, entries: keras.KerasTensor) -> keras.KerasTensor:
        """Return which of some entries of `values`, (K,) or (K, 4), are no N."""
        if self.pool is not None:
            entries = _pick(self.pool, ops.maximum(entries, NUM_BASES - 1 - entries) if self.turned else entries)
        return ops.matmul(ops.abs(ops.cast(entries, "float32")), ops.ones((NUM_BASES,))) > 0


def _flat(values: keras.KerasTensor) -> keras.KerasTensor:
    return ops.reshape(values, (-1, *values.shape[2:]))


def _pick(values: keras.KerasTensor, index: keras.KerasTensor) -> keras.KerasTensor:
    """Take entries of the first axis; every index is valid."""
    if keras.backend.backend() == "tensorflow":
        # `ops.take` goes over the index three times more, and its kernel takes twice as long as this one, which is
        # quickest on a list of places.
        import tensorflow as tf

        picked = tf.gather_nd(values, tf.reshape(index, (-1, 1)))
        return tf.reshape(picked, (-1, *index.shape[1:], *values.shape[1:]))
    return ops.take(values, index, axis=0)
