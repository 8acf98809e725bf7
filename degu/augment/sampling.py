"""Random draws that the augmentations share. All shapes are fixed except the batch axis."""

from __future__ import annotations

import keras
from keras import ops

from degu.augment.seeds import SeedStream

NUM_BASES = 4


def random_integers(
    low: int | keras.KerasTensor,
    high: int | keras.KerasTensor,
    count: int | keras.KerasTensor,
    seed: SeedStream,
) -> keras.KerasTensor:
    """Draw integers uniformly from low to high, both included.

    Args:
        low: Smallest value, an integer or a tensor (count, 1).
        high: Largest value, an integer or a tensor (count, 1).
        count: Number of draws.
        seed: Stream to draw from.

    Returns:
        int32 tensor (count, 1).
    """
    choices = ops.cast(high - low + 1, "int32")
    uniform = keras.random.uniform((count, 1), dtype="float32", seed=seed)
    drawn = ops.cast(ops.floor(uniform * ops.cast(choices, "float32")), "int32")
    # A float32 product may round up to `choices` itself.
    return low + ops.minimum(drawn, choices - 1)


def random_dna(
    count: int | keras.KerasTensor, length: int | keras.KerasTensor, dtype: str, seed: SeedStream
) -> keras.KerasTensor:
    """Draw one-hot DNA (count, length, 4), the four bases with equal probability."""
    bases = keras.random.randint((count, length), 0, NUM_BASES, seed=seed)
    return ops.one_hot(bases, NUM_BASES, dtype=dtype)


def choose(count: int | keras.KerasTensor, items: int, size: int, seed: SeedStream) -> keras.KerasTensor:
    """Choose different items in random order, all choices being equally likely.

    Args:
        count: Number of choices.
        items: Number of items to choose from.
        size: Number of items in a choice, 1 to `items`.
        seed: Stream to draw from.

    Returns:
        int32 tensor (count, size) of indices in 0 ... items - 1, all different within a row.
    """
    return ops.top_k(keras.random.uniform((count, items), dtype="float32", seed=seed), size)[1]


def pad_random(x: keras.KerasTensor, length: int, seed: SeedStream) -> keras.KerasTensor:
    """Lengthen sequences (B, L, 4) by `length` random bases, half at each end, the odd one at the right."""
    if length == 0:
        return x
    dna = random_dna(ops.shape(x)[0], length, x.dtype, seed)
    half = length // 2
    return ops.concatenate([dna[:, :half], x, dna[:, half:]], axis=1)


def take_positions(pool: keras.KerasTensor, index: keras.KerasTensor) -> keras.KerasTensor:
    """Pick positions, for every sequence its own.

    Args:
        pool: Tensor (B, P, 4).
        index: int32 tensor (B, L) of positions in 0 ... P - 1.

    Returns:
        Tensor (B, L, 4).
    """
    index = index + _row_starts(ops.shape(pool)[0], pool.shape[1])
    return ops.take(ops.reshape(pool, (-1, NUM_BASES)), index, axis=0)


def put_positions(x: keras.KerasTensor, index: keras.KerasTensor, values: keras.KerasTensor) -> keras.KerasTensor:
    """Replace positions, for every sequence its own.

    Args:
        x: Sequences (B, L, 4).
        index: int32 tensor (B, P) of positions in 0 ... L - 1, all different within a row.
        values: Tensor (B, P, 4).

    Returns:
        Sequences (B, L, 4).
    """
    index = index + _row_starts(ops.shape(x)[0], x.shape[1])
    rows = ops.scatter_update(
        ops.reshape(x, (-1, NUM_BASES)), ops.reshape(index, (-1, 1)), ops.reshape(values, (-1, NUM_BASES))
    )
    return ops.reshape(rows, (-1, x.shape[1], NUM_BASES))


def _row_starts(count: int | keras.KerasTensor, length: int) -> keras.KerasTensor:
    return ops.arange(count, dtype="int32")[:, None] * length
