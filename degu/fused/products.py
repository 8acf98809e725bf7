"""The product inside a convolution or dense layer, and the largest of neighbouring ones."""

from __future__ import annotations

import functools
from typing import Any, Literal

import keras
from keras import ops

from degu.fused.windows import Windows

Lowering = Literal["conv", "matmul"]


class Product:
    """What a convolution or dense layer does before bias and activation, with any kernel.

    Args:
        layer: A one-dimensional convolution or a dense layer.
        input_shape: Shape of its input.
        lowering: `"conv"` for the backend's convolution, `"matmul"` for a matrix product with the windows of the
            input where their number is known.
    """

    def __init__(self, layer: keras.layers.Layer, input_shape: tuple[int | None, ...], lowering: Lowering) -> None:
        self.layer = layer
        self.windows: Windows | None = None
        if isinstance(layer, keras.layers.Conv1D) and layer.groups == 1 and input_shape[1] is not None:
            self.windows = Windows.of(layer, input_shape[1])
        self._by_windows = self.windows if lowering == "matmul" else None

    def kernel(self, dtype: str) -> Any:
        """Return the kernel as the layer uses it, rounded to its compute dtype, in another dtype."""
        return ops.cast(ops.cast(self.layer.kernel, self.layer.compute_dtype), dtype)

    def bias(self, dtype: str) -> Any:
        """Return the bias `(filters,)`, zeros where the layer has none."""
        if self.layer.use_bias:
            return ops.cast(ops.cast(self.layer.bias, self.layer.compute_dtype), dtype)
        return ops.zeros(self.layer.kernel.shape[-1:], dtype)

    def __call__(self, x: Any, kernel: Any) -> Any:
        """Return the product of `x` and a kernel of the layer's shape, in the layer's compute dtype."""
        layer = self.layer
        x, kernel = (ops.cast(value, layer.compute_dtype) for value in (x, kernel))
        if not isinstance(layer, keras.layers.Conv1D):
            return ops.matmul(x, kernel)
        if self._by_windows is not None:
            return _by_windows(self._by_windows, x, kernel)
        padding = layer.padding
        if padding == "causal":
            x = ops.pad(x, [[0, 0], [layer.dilation_rate[0] * (layer.kernel_size[0] - 1), 0], [0, 0]])
            padding = "valid"
        return ops.conv(x, kernel, list(layer.strides), padding, "channels_last", layer.dilation_rate)


def _by_windows(windows: Windows, x: Any, kernel: Any) -> Any:
    rows = ops.concatenate(windows.slices(windows.padded(x)), axis=-1)
    width = rows.shape[-1]
    y = ops.matmul(ops.reshape(rows, (-1, width)), ops.reshape(kernel, (width, -1)))
    return ops.reshape(y, (-1, windows.number, y.shape[-1]))


@ops.custom_gradient
def larger(first: Any, second: Any) -> tuple[Any, Any]:
    """Return the larger of two tensors; where they are equal, the gradient is that of the first.

    So it is in max pooling, whereas the gradient of `keras.ops.maximum` may be divided between equal arguments. The
    function of the upstream gradient beside the result is for Keras.
    """
    result = ops.maximum(first, second)
    # Compared with the maximum, so that the backend may write the maximum over `second`.
    is_second = result > first

    def backward(g: Any) -> tuple[Any, Any]:
        of_second = g * ops.cast(is_second, g.dtype)
        return g - of_second, of_second

    return result, backward


def largest(y: Any, width: int) -> Any:
    """Return the maximum of windows of `width` positions side by side, `(B, L // width, C)` from `(B, L, C)`."""
    end = y.shape[1] // width * width
    return functools.reduce(larger, [y[:, start:end:width] for start in range(width)])


def largest_product(rows: Any, kernel: Any, width: int) -> Any:
    """Return the maximum over windows of positions of a matrix product, without making the whole product.

    Args:
        rows: Shape `(B, L, D)`.
        kernel: Shape `(D, F)`.
        width: Positions of a window; those left over at the end are dropped.

    Returns:
        Shape `(B, L // width, F)`.
    """
    count, size = rows.shape[1] // width, rows.shape[2]
    side_by_side = ops.reshape(rows[:, : count * width], (-1, width * size))
    parts = [side_by_side[:, start : start + size] for start in range(0, width * size, size)]
    if width == 2:
        # As `larger`, but the only large tensor kept for the gradient is one that can be computed in place.
        result = ops.matmul(parts[0], kernel) + ops.relu(ops.matmul(parts[1] - parts[0], kernel))
    else:
        result = functools.reduce(larger, (ops.matmul(part, kernel) for part in parts))
    return ops.reshape(result, (-1, count, kernel.shape[-1]))
