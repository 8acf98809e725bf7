"""MPRAnn: four unpadded convolutions, three of them with a softmax over channels, and two dense layers."""

from __future__ import annotations

import keras

from degu.models.blocks import scaled, sequence_input
from degu.models.heads import LINEAR, Head


def mprann(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    conv_dropout: float = 0.1,
    dense_dropout: float = 0.3,
    head: Head = LINEAR,
) -> keras.Model:
    """Build MPRAnn: 3,959,451 parameters for 230 bp and one output.

    Deviations from the source:
        1. None known in the layers; the number of parameters of the code of the second reference is met.
        2. The pooling of width 1 before the second dropout, which does nothing, is left out.
        3. `width`, the two dropouts and `head` are arguments here.

    Args:
        input_shape: (length, channels), at least 21 bp; (230, 4) in the source.
        num_outputs: Number of targets; the head may give each of them several columns.
        width: Multiplier of all filters and dense units.
        conv_dropout: Dropped fraction after the pooling and after the last convolution.
        dense_dropout: Dropped fraction between the two dense layers.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, channels) to (batch, columns).

    Raises:
        ConfigError: If the sequence is too short or a size is not positive.

    References:
        Agarwal et al. (2025), doi:10.1038/s41586-024-08430-9.
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """
    inputs = sequence_input(input_shape, minimum=21, name="mprann")
    x = _valid_conv(inputs, scaled(250, width), 7, "relu")
    x = _valid_conv(x, scaled(250, width), 8, "softmax")
    x = keras.layers.MaxPooling1D(2)(x)
    x = keras.layers.Dropout(conv_dropout)(x)
    x = _valid_conv(x, scaled(250, width), 3, "softmax")
    x = _valid_conv(x, scaled(100, width), 2, "softmax")
    x = keras.layers.Dropout(conv_dropout)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(scaled(300, width), activation="sigmoid")(x)
    x = keras.layers.Dropout(dense_dropout)(x)
    x = keras.layers.Dense(scaled(200, width), activation="sigmoid")(x)
    return keras.Model(inputs, head(x, num_outputs), name="mprann")


def _valid_conv(x: keras.KerasTensor, filters: int, kernel_size: int, activation: str) -> keras.KerasTensor:
    """Convolution without padding, activation, then batch normalisation: the order of this model only."""
    x = keras.layers.Conv1D(filters, kernel_size, activation=activation)(x)
    return keras.layers.BatchNormalization()(x)
