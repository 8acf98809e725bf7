"""Architectures: functions of the input shape and the number of outputs."""

from __future__ import annotations

import keras

from degu.models.heads import LINEAR, Head


def dilated_cnn(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    filters: int = 32,
    depth: int = 3,
    kernel_size: int = 7,
    dropout: float = 0.1,
    head: Head = LINEAR,
) -> keras.Model:
    """Build a residual network whose filters reach twice as far in every block.

    Args:
        input_shape: (length, 4); degu takes it from the data.
        num_outputs: Number of targets; degu takes it from the data, and from the student's columns.
        filters: Filters of every convolution.
        depth: Residual blocks.
        kernel_size: Width of the filters, in positions.
        dropout: Dropped fraction before the head.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, 4) to (batch, columns).
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv1D(filters, kernel_size, padding="same", use_bias=False)(inputs)
    for block in range(depth):
        y = keras.layers.BatchNormalization()(x)
        y = keras.layers.Activation("relu")(y)
        y = keras.layers.Conv1D(filters, 3, padding="same", dilation_rate=2**block)(y)
        x = keras.layers.Add()([x, y])
    x = keras.layers.Activation("relu")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, head(x, num_outputs), name="dilated_cnn")
