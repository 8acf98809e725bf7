"""Shuffled sequences."""

from __future__ import annotations

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.sampling import choose
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomShuffle(Augmentation):
    """Permute the positions of every sequence, each permutation being equally likely.

    The composition of a sequence stays and every motif is lost: far off the training distribution.

    Args:
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Permute the positions of sequences (B, L, 4)."""
        length = x.shape[1]
        order = choose(ops.shape(x)[0], length, length, seed)
        return ops.take_along_axis(x, order[:, :, None], axis=1)
