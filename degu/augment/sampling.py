"""Random draws that the augmentations share. All shapes are fixed except the batch axis."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from degu.augment.seeds import SeedStream

NUM_BASES = 4

# Two bits each of a non-negative 32-bit integer.
_BASES_PER_WORD = 15

# From here on a sort is quicker than to place one item after the other.
_MANY = 128


def uniforms(draws: int, count: int | keras.KerasTensor, seed: SeedStream) -> list[keras.KerasTensor]:
    """Draw from [0, 1): a list of `draws` tensors (count, 1)."""
    return ops.unstack(keras.random.uniform((draws, count, 1), dtype="float32", seed=seed), draws)


def integers(
    uniform: keras.KerasTensor, low: int | keras.KerasTensor, high: int | keras.KerasTensor
) -> keras.KerasTensor:
    """Turn uniform numbers into integers, uniform from low to high, both included.

    Args:
        uniform: Tensor of numbers in [0, 1).
        low: Smallest value, an integer or a tensor that broadcasts.
        high: Largest value, an integer or a tensor that broadcasts.

    Returns:
        int32 tensor.
    """
    choices = ops.cast(high - low + 1, "float32")
    # A float32 product may round up to `choices` itself.
    return low + ops.cast(ops.minimum(ops.floor(uniform * choices), choices - 1), "int32")


def random_bases(count: int | keras.KerasTensor, length: int, seed: SeedStream) -> keras.KerasTensor:
    """Draw bases, 0 to 3 with equal probability, int32 (count, length)."""
    words = -(-length // _BASES_PER_WORD)
    bits = keras.random.randint((count, words, 1), 0, NUM_BASES**_BASES_PER_WORD, seed=seed)
    bases = ops.bitwise_and(ops.right_shift(bits, 2 * np.arange(_BASES_PER_WORD, dtype="int32")), NUM_BASES - 1)
    return ops.reshape(bases, (-1, words * _BASES_PER_WORD))[:, :length]


def choose(count: int | keras.KerasTensor, items: int, size: int, seed: SeedStream) -> keras.KerasTensor:
    """Choose different items in random order, all choices being equally likely.

    Args:
        count: Number of choices.
        items: Number of items to choose from.
        size: Number of items in a choice, 1 to `items`.
        seed: Stream to draw from.

    Returns:
        int32 tensor (size, count) of indices in 0 ... items - 1, all different within a column.
    """
    if size > _MANY:
        scores = keras.random.uniform((count, items), dtype="float32", seed=seed)
        return ops.transpose(ops.top_k(scores, size)[1])
    # The item drawn at step k counts among the items - k ones that are left.
    left = np.arange(items, items - size, -1)[:, None]
    ranks = integers(keras.random.uniform((size, count), dtype="float32", seed=seed), 0, left - 1)
    first, *later = ops.split(ranks, size)[::-1]
    chosen = first
    for rank in later:
        chosen = ops.concatenate([rank, chosen + ops.cast(chosen >= rank, "int32")], axis=0)
    return chosen
