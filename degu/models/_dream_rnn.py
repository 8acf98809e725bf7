"""DREAM-RNN: a bidirectional LSTM between two pairs of parallel convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from degu.models.blocks import parallel_convs, scaled, sequence_input
from degu.models.heads import LINEAR, Head


def dream_rnn(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    kernel_sizes: Sequence[int] = (9, 15),
    conv_dropout: float = 0.2,
    dropout: float = 0.5,
    head: Head = LINEAR,
) -> keras.Model:
    """Build DREAM-RNN: 4,199,810 parameters for two outputs, whatever the length.

    Deviations from the source:
        1. The output is a head for continuous targets where the first reference has probabilities of 18
           expression bins; so has the second, whose number of parameters is met.
        2. The input has the four bases only, without the channels for reversed and for singleton sequences.
        3. `width`, `kernel_sizes`, the two dropouts and `head` are arguments here.

    Args:
        input_shape: (length, channels), any length.
        num_outputs: Number of targets; the head may give each of them several columns.
        width: Multiplier of all filters and units.
        kernel_sizes: Filter widths of the parallel convolutions, in positions.
        conv_dropout: Dropped fraction after each parallel convolution.
        dropout: Dropped fraction before the last convolution.
        head: What the output columns are; see `degu.models.heads`.

    Returns:
        Uncompiled model from (batch, length, channels) to (batch, columns).

    Raises:
        ConfigError: If the shape or a size is not positive.

    References:
        Rafi et al. (2024), doi:10.1038/s41587-024-02414-w.
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """
    inputs = sequence_input(input_shape, name="dream_rnn")
    x = parallel_convs(inputs, scaled(160, width), kernel_sizes, dropout=conv_dropout)
    x = keras.layers.Bidirectional(keras.layers.LSTM(scaled(320, width), return_sequences=True))(x)
    x = parallel_convs(x, scaled(160, width), kernel_sizes, dropout=conv_dropout)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Conv1D(scaled(256, width), 1)(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, head(x, num_outputs), name="dream_rnn")
