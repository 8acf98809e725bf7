"""Windows of a sequence as rows of a matrix, so that a convolution is one matrix product."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops


class Windows(NamedTuple):
    """Where the windows of a one-dimensional convolution lie.

    Attributes:
        size: Positions in a window.
        stride: Distance between the starts of two windows.
        dilation: Distance between two positions of a window.
        before: Zeros in front of the sequence.
        after: Zeros behind it.
        number: Number of windows.
    """

    size: int
    stride: int
    dilation: int
    before: int
    after: int
    number: int

    @classmethod
    def of(cls, layer: keras.layers.Conv1D, length: int) -> Windows:
        """Return the windows of a convolution over sequences of `length` positions."""
        (size,), (stride,), (dilation,) = layer.kernel_size, layer.strides, layer.dilation_rate
        reach = dilation * (size - 1) + 1
        before = after = 0
        if layer.padding == "causal":
            before = reach - 1
        elif layer.padding == "same":
            added = max((-(-length // stride) - 1) * stride + reach - length, 0)
            before, after = added // 2, added - added // 2
        return cls(size, stride, dilation, before, after, (before + length + after - reach) // stride + 1)

    def padded(self, x: Any) -> Any:
        """Return sequences `(B, L, C)` with the zeros at their ends."""
        return ops.pad(x, [[0, 0], [self.before, self.after], [0, 0]]) if self.before or self.after else x

    def slices(self, padded: Any) -> list[Any]:
        """Return what each position of the windows sees: `size` tensors `(B, number, C)`."""
        span = self.stride * (self.number - 1) + 1
        starts = (position * self.dilation for position in range(self.size))
        return [padded[:, start : start + span : self.stride] for start in starts]
