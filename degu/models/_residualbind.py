"""ResidualBind: one dilated residual block between two pooled convolutions."""

from __future__ import annotations

import keras

from degu.models.blocks import conv_block, dense_block, scaled, sequence_input
from degu.models.heads import LINEAR, Head

POOL = 5


def residualbind(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    num_dilations: int = 5,
    activation: str = "silu",
    conv_dropout: float = 0.2,
    dense_dropout: float = 0.5,
    head: Head = LINEAR,
) -> keras.Model:
    """Build ResidualBind as used for lentiMPRA: 1,198,469 parameters for 230 bp and one output.

    Deviations from the source:
        1. None known from the lentiMPRA version of the second reference, whose numbers of parameters for one,
           two and three outputs are met. That version differs from the first reference, a model of protein
           binding to RNA, in its sizes and activation.
        2. `width`, the two dropouts and `head` are arguments here.

    Args:
        input_shape: (length, channels), at least 25 bp; (230, 4) in the source.
        num_outputs: Number of targets; the head may give each of them several columns.
        width: Multiplier of all filters and dense units.
        num_dilations: Dilated convolutions in the residual block, dilation 1, 2, 4, ...
        activation: Activation outside the residual branch.
        conv_dropout: Dropped fraction after the convolutions and the residual block.
        dense_dropout: Dropped fraction after the two dense layers.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, channels) to (batch, columns).

    Raises:
        ConfigError: If the sequence is too short or a size is not positive.

    References:
        Koo, Majdandzic, Ploenzke, Anand, Paul (2021), doi:10.1371/journal.pcbi.1008925.
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """
    inputs = sequence_input(input_shape, minimum=POOL**2, name="residualbind")
    x = conv_block(inputs, scaled(196, width), 19, activation=activation, dropout=conv_dropout)
    x = _dilated_residual(x, num_dilations, activation)
    x = keras.layers.Dropout(conv_dropout)(x)
    x = keras.layers.MaxPooling1D(POOL)(x)
    x = conv_block(x, scaled(256, width), 7, activation=activation, dropout=conv_dropout)
    x = keras.layers.MaxPooling1D(POOL)(x)
    x = dense_block(x, scaled(256, width), activation=activation, dropout=dense_dropout)
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = dense_block(x, scaled(256, width), activation=activation, dropout=dense_dropout)
    return keras.Model(inputs, head(x, num_outputs), name="residualbind")


def _dilated_residual(x: keras.KerasTensor, num_dilations: int, activation: str) -> keras.KerasTensor:
    """Add to `x` a branch of convolutions of width 3 with growing dilation, then activate."""
    filters = x.shape[-1]
    branch = keras.layers.Conv1D(filters, 3, padding="same", use_bias=False)(x)
    branch = keras.layers.BatchNormalization()(branch)
    for dilation in (2**power for power in range(num_dilations)):
        branch = keras.layers.Activation("relu")(branch)
        branch = keras.layers.Dropout(0.1)(branch)
        branch = keras.layers.Conv1D(filters, 3, padding="same", dilation_rate=dilation, use_bias=False)(branch)
        branch = keras.layers.BatchNormalization()(branch)
    return keras.layers.Activation(activation)(keras.layers.Add()([x, branch]))
