"""Pieces that several architectures share.

Every function takes and returns Keras tensors of shape (batch, length, channels) unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from degu.errors import ConfigError


def sequence_input(input_shape: Sequence[int], *, minimum: int = 1, name: str) -> keras.KerasTensor:
    """Check the shape of one sequence and make the model's input.

    Args:
        input_shape: (length, channels) of one sequence, without the batch axis.
        minimum: Shortest length, in bases, that leaves at least one position before the dense layers.
        name: Architecture, for the message.

    Returns:
        Input tensor of shape (batch, length, channels), named "sequence".

    Raises:
        ConfigError: If the shape is not two positive integers or the sequence is too short.
    """
    shape = tuple(input_shape)
    if len(shape) != 2 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ConfigError(f"{name}: expected input_shape as (length, channels), received {input_shape!r}")
    if shape[0] < minimum:
        raise ConfigError(
            f"{name}: expected sequences of at least {minimum} bp, received {shape[0]} bp: its pooling and "
            "convolutions would leave no position. Use longer sequences or an architecture with less pooling"
        )
    return keras.Input(shape, name="sequence")


def scaled(size: int, width: float) -> int:
    """Multiply a number of filters or units by `width`, at least 1.

    Args:
        size: Filters or units at width 1.
        width: Positive multiplier.

    Returns:
        The nearest whole number, never below 1.

    Raises:
        ConfigError: If `width` is not positive.
    """
    if width <= 0:
        raise ConfigError(f"width: expected a positive multiplier, received {width!r}")
    return max(1, round(size * width))


def conv_block(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int,
    *,
    activation: str = "relu",
    pool: int = 1,
    dropout: float = 0.0,
    use_bias: bool = True,
) -> keras.KerasTensor:
    """Convolution (same padding), batch normalisation, activation, then pooling and dropout where asked for.

    Args:
        x: Tensor of shape (batch, length, channels).
        filters: Channels that come out.
        kernel_size: Width of the filters, in positions.
        activation: Name of a Keras activation.
        pool: Window and stride of the max pooling; 1 leaves the length as it is.
        dropout: Dropped fraction; 0 adds no layer.
        use_bias: Whether the convolution has a bias.

    Returns:
        Tensor of shape (batch, length // pool, filters).
    """
    x = keras.layers.Conv1D(filters, kernel_size, padding="same", use_bias=use_bias)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation(activation)(x)
    if pool > 1:
        x = keras.layers.MaxPooling1D(pool)(x)
    return keras.layers.Dropout(dropout)(x) if dropout else x


def dense_block(
    x: keras.KerasTensor, units: int, *, activation: str = "relu", dropout: float = 0.0
) -> keras.KerasTensor:
    """Dense layer on the last axis, batch normalisation, activation, dropout.

    Args:
        x: Tensor of shape (batch, features), or (batch, length, channels) for a position-wise layer.
        units: Features that come out.
        activation: Name of a Keras activation.
        dropout: Dropped fraction; 0 adds no layer.

    Returns:
        Tensor of the same rank with `units` features on the last axis.
    """
    x = keras.layers.Dense(units)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation(activation)(x)
    return keras.layers.Dropout(dropout)(x) if dropout else x


def parallel_convs(
    x: keras.KerasTensor, filters: int, kernel_sizes: Sequence[int], *, dropout: float
) -> keras.KerasTensor:
    """Run one convolution block for each kernel size on the same input and concatenate the channels.

    Args:
        x: Tensor of shape (batch, length, channels).
        filters: Channels of each branch.
        kernel_sizes: Filter width of each branch, in positions.
        dropout: Dropped fraction at the end of each branch.

    Returns:
        Tensor of shape (batch, length, filters x number of branches).
    """
    return keras.layers.Concatenate()(
        [conv_block(x, filters, kernel_size, dropout=dropout) for kernel_size in kernel_sizes]
    )


def squeeze_excite(x: keras.KerasTensor, units: int) -> keras.KerasTensor:
    """Scale every channel by a gate in (0, 1) that is computed from the mean over positions.

    Args:
        x: Tensor of shape (batch, length, channels).
        units: Width of the bottleneck.

    Returns:
        Tensor of the shape of `x`.

    References:
        Hu, Shen, Sun (2018), "Squeeze-and-excitation networks", doi:10.1109/CVPR.2018.00745.
    """
    gate = keras.layers.GlobalAveragePooling1D(keepdims=True)(x)
    gate = keras.layers.Dense(units, activation="silu")(gate)
    gate = keras.layers.Dense(x.shape[-1], activation="sigmoid")(gate)
    return keras.layers.Multiply()([x, gate])
