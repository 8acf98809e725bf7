"""A small convolutional network for demonstrations, tests and slow machines."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from degu.models.blocks import conv_block, dense_block, sequence_input
from degu.models.heads import LINEAR, Head

POOL = 4


def small_cnn(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    filters: Sequence[int] = (32, 48),
    kernel_size: int = 9,
    dense: int = 64,
    dropout: float = 0.2,
    head: Head = LINEAR,
) -> keras.Model:
    """Build a small network: convolution blocks with pooling by 4, flatten, one dense layer.

    Deviations from the source: none, the design is our own.

    Args:
        input_shape: (length, channels); at least 4 bp for every convolution block.
        num_outputs: Number of targets; the head may give each of them several columns.
        filters: Filters of each convolution block, from the input on.
        kernel_size: Width of all filters, in positions.
        dense: Units of the dense layer.
        dropout: Dropped fraction after the dense layer.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, channels) to (batch, columns).

    Raises:
        ConfigError: If the sequence is too short.
    """
    inputs = sequence_input(input_shape, minimum=POOL ** len(filters), name="small_cnn")
    x = inputs
    for size in filters:
        x = conv_block(x, size, kernel_size, pool=POOL)
    x = keras.layers.Flatten()(x)
    x = dense_block(x, dense, dropout=dropout)
    return keras.Model(inputs, head(x, num_outputs), name="small_cnn")
