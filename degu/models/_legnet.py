"""A network in the manner of LegNet: inverted bottlenecks, depthwise convolution, squeeze-and-excite."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from degu.errors import ConfigError
from degu.models.blocks import conv_block, scaled, sequence_input, squeeze_excite
from degu.models.heads import LINEAR, Head

POOL = 2


def legnet(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    filters: Sequence[int] = (128, 96, 96, 64),
    kernel_size: int = 7,
    expansion: int = 4,
    reduction: int = 4,
    features: int = 256,
    dropout: float = 0.2,
    head: Head = LINEAR,
) -> keras.Model:
    """Build a LegNet-like model; the design is our own and its accuracy is not that of the source.

    Each stage expands the channels, convolves each channel alone, gates the channels, projects back, joins
    the result to the stage's input, and resizes by a full convolution.

    Deviations from the source:
        1. Every stage halves the length by max pooling; the source, for 80 to 150 bp, pools nowhere.
        2. Four sizes, 128 to 64 filters, in place of the source's eight, 256 to 32.
        3. The middle convolution of a stage is depthwise, in place of groups of two filters, and works on
           `expansion` times the channels that enter the stage, in place of those that leave it.
        4. Squeeze-and-excite has two dense layers, without the source's low-rank bilinear term.
        5. The last convolution has `features` channels, then global average pooling, dropout and a head for
           continuous targets, in place of 18 expression bins and their expectation.
        6. The input has the four bases only, without the channels for reversed and for singleton sequences.

    Args:
        input_shape: (length, channels); at least 2 to the power of the number of stages, len(filters) - 1.
        num_outputs: Number of targets; the head may give each of them several columns.
        width: Multiplier of `filters` and `features`.
        filters: Channels after the first convolution and after each stage; two numbers at least.
        kernel_size: Width of all filters, in positions.
        expansion: How many times a stage widens its input.
        reduction: How many times the gate's bottleneck is narrower than the stage's input.
        features: Channels before global pooling.
        dropout: Dropped fraction before the head.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, channels) to (batch, columns).

    Raises:
        ConfigError: If the sequence is too short, a size is not positive or `filters` has one number only.

    References:
        Penzar et al. (2023), doi:10.1093/bioinformatics/btad457.
    """
    if len(filters) < 2:
        raise ConfigError(f"legnet filters: expected two numbers at least, received {filters!r}")
    inputs = sequence_input(input_shape, minimum=POOL ** (len(filters) - 1), name="legnet")
    sizes = [scaled(size, width) for size in filters]
    x = conv_block(inputs, sizes[0], kernel_size, activation="silu", use_bias=False)
    for size in sizes[1:]:
        bottleneck = _inverted_bottleneck(x, kernel_size, expansion, reduction)
        x = keras.layers.Concatenate()([x, bottleneck])
        x = conv_block(x, size, kernel_size, activation="silu", pool=POOL, use_bias=False)
    x = conv_block(x, scaled(features, width), 1, activation="silu")
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, head(x, num_outputs), name="legnet")


def _inverted_bottleneck(x: keras.KerasTensor, kernel_size: int, expansion: int, reduction: int) -> keras.KerasTensor:
    """Expand, convolve each channel alone, gate, and project back to the channels of `x`."""
    channels = x.shape[-1]
    y = conv_block(x, channels * expansion, 1, activation="silu", use_bias=False)
    y = keras.layers.DepthwiseConv1D(kernel_size, padding="same", use_bias=False)(y)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.Activation("silu")(y)
    y = squeeze_excite(y, max(1, channels // reduction))
    return conv_block(y, channels, 1, activation="silu", use_bias=False)
