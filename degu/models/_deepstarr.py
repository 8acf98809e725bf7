"""DeepSTARR: four convolution blocks and two dense layers."""

from __future__ import annotations

import keras

from degu.models.blocks import conv_block, dense_block, scaled, sequence_input
from degu.models.heads import LINEAR, Head

CONV_BLOCKS = ((256, 7), (60, 3), (60, 5), (120, 3))
DENSE_UNITS = (256, 256)
POOL = 2


def deepstarr(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.4,
    first_activation: str = "relu",
    head: Head = LINEAR,
) -> keras.Model:
    """Build DeepSTARR: 624,738 parameters for 249 bp and two outputs.

    Deviations from the source:
        1. The outputs are one dense layer with a column for each target, where the original has a dense layer
           of one column for each; the number of parameters is the same.
        2. `width`, `dropout`, `first_activation` and `head` are arguments here. In spite of its name
           `first_activation` acts in all four convolution blocks, as in the code of the second reference.

    Args:
        input_shape: (length, channels), at least 16 bp; (249, 4) in the source.
        num_outputs: Number of targets; the head may give each of them several columns.
        width: Multiplier of all filters and dense units.
        dropout: Dropped fraction after each dense layer.
        first_activation: Activation of the convolution blocks.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, channels) to (batch, columns).

    Raises:
        ConfigError: If the sequence is too short or a size is not positive.

    References:
        de Almeida, Reiter, Pagani, Stark (2022), doi:10.1038/s41588-022-01048-5.
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """
    inputs = sequence_input(input_shape, minimum=POOL ** len(CONV_BLOCKS), name="deepstarr")
    x = inputs
    for filters, kernel_size in CONV_BLOCKS:
        x = conv_block(x, scaled(filters, width), kernel_size, activation=first_activation, pool=POOL)
    x = keras.layers.Flatten()(x)
    for units in DENSE_UNITS:
        x = dense_block(x, scaled(units, width), dropout=dropout)
    return keras.Model(inputs, head(x, num_outputs), name="deepstarr")
