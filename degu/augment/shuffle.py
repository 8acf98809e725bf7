"""Shuffled sequences."""

from __future__ import annotations

import keras
from keras import ops

from degu.augment.base import RowAugmentation
from degu.augment.rows import Rows
from degu.augment.sampling import choose
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomShuffle(RowAugmentation):
    """Permute the positions of every sequence, each permutation being equally likely.

    The composition of a sequence stays and every motif is lost: far off the training distribution.

    Args:
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Permute the positions of each sequence."""
        return rows.take(ops.transpose(choose(rows.batch, rows.length, rows.length, seed)))
