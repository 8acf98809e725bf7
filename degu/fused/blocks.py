"""Chains of layers, each computed as one layer with the variables of its layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras
from keras import ops

from degu.fused.chains import Chain
from degu.fused.moments import moments, normalised, product_moments
from degu.fused.norms import Norm
from degu.fused.products import Lowering, Product, largest, largest_product
from degu.fused.windows import Windows

MOST_INPUTS = 128
"""Most values in a window whose covariance is cheaper than passes over the product."""


def make_block(chain: Chain, lowering: Lowering) -> keras.layers.Layer:
    """Return the layer that computes a chain, but for its activation, which acts on what is pooled.

    Args:
        chain: Layers that follow each other.
        lowering: How convolutions are computed.
    """
    if chain.producer is None:
        return InputBlock(chain, lowering)
    product = Product(chain.producer, chain.input_shape, lowering)
    if chain.norm is None:
        return ConvolutionBlock(chain, product)
    if product.windows is not None:
        size, channels, filters = chain.producer.kernel.shape
        if size * channels <= min(MOST_INPUTS, filters):
            return WindowBlock(chain, lowering, product, product.windows)
    return ProductBlock(chain, lowering, product)


class Block(keras.layers.Layer, ABC):
    """Abstract layer in place of others.

    It owns nothing and is part of no file: variables, dtypes and settings are those of the layers.

    Args:
        chain: The layers.
    """

    def __init__(self, chain: Chain) -> None:
        super().__init__(dtype=chain.layers[0].variable_dtype, autocast=False)
        self.shaping = [layer for layer in chain.layers if layer is not chain.activation]
        self.built = True

    def compute_output_spec(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Return shape and dtype of what the layers return."""
        shape = x.shape
        for layer in self.shaping:
            shape = layer.compute_output_shape(shape)
        return keras.KerasTensor(shape, dtype=self.shaping[-1].compute_dtype)


class ConvolutionBlock(Block):
    """A convolution with its bias and activation, as a matrix product.

    Args:
        chain: The convolution alone.
        product: Its product.
    """

    def __init__(self, chain: Chain, product: Product) -> None:
        super().__init__(chain)
        self.product = product

    def call(self, x: Any) -> Any:
        """Return what the convolution returns."""
        layer = self.product.layer
        y = self.product(x, layer.kernel)
        return layer.activation(y + self.product.bias(y.dtype) if layer.use_bias else y)


class NormBlock(Block):
    """Abstract chain with a batch normalisation; pooling included, activation not.

    Args:
        chain: The layers.
        lowering: How convolutions and pooling are computed.
    """

    def __init__(self, chain: Chain, lowering: Lowering) -> None:
        super().__init__(chain)
        assert chain.norm is not None
        self.norm = Norm(chain.norm)
        self.pool_size = 1 if chain.pool is None else chain.pool.pool_size[0]
        self.pools_by_slices = lowering == "matmul"

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return what the chain returns; in training, with statistics of the batch, and update the moving ones."""
        layer = self.norm.layer
        y = self.with_batch_statistics(x) if training and layer.trainable else self.with_moving_statistics(x)
        return ops.cast(y, layer.compute_dtype)

    @abstractmethod
    def with_batch_statistics(self, x: Any) -> Any:
        """Return normalised and pooled values, and update the moving statistics."""

    @abstractmethod
    def with_moving_statistics(self, x: Any) -> Any:
        """Return values normalised with the moving statistics, pooled."""

    def pooled(self, y: Any) -> Any:
        """Return the maximum of neighbouring positions."""
        if self.pool_size == 1:
            return y
        if self.pools_by_slices:
            return largest(y, self.pool_size)
        return ops.max_pool(y, self.pool_size, self.pool_size, "valid", "channels_last")

    def normalised(self, y: Any, bias: Any) -> Any:
        """Return `y + bias`, `(..., C)`, normalised with its own statistics and pooled."""
        rows = ops.reshape(y, (-1, y.shape[-1]))
        mean, variance = moments(rows)
        self.norm.update(mean + bias, variance)
        rows = normalised(rows, bias, *self.norm.affine(rows.dtype), mean, self.norm.inverse(variance))
        return self.pooled(ops.reshape(rows, ops.shape(y)))


class InputBlock(NormBlock):
    """Normalisation and pooling of what enters."""

    def with_batch_statistics(self, x: Any) -> Any:
        """Return normalised and pooled values, and update the moving statistics."""
        x = ops.cast(x, _statistics_dtype(x.dtype))
        return self.normalised(x, ops.zeros(x.shape[-1:], x.dtype))

    def with_moving_statistics(self, x: Any) -> Any:
        """Return values normalised with the moving statistics, pooled."""
        x = ops.cast(x, _statistics_dtype(x.dtype))
        mean, variance = self.norm.moving_statistics(x.dtype)
        scale, offset = self.norm.scale_and_offset(ops.zeros_like(mean), mean, variance)
        return self.pooled(x * scale + offset)


class ProductBlock(NormBlock):
    """A convolution or dense layer, its product normalised and pooled.

    Args:
        chain: The layers.
        lowering: How convolutions and pooling are computed.
        product: Product of the first layer.
    """

    def __init__(self, chain: Chain, lowering: Lowering, product: Product) -> None:
        super().__init__(chain, lowering)
        self.product = product
        self.dtype_of_product = product.layer.compute_dtype
        self.statistics_dtype = _statistics_dtype(self.dtype_of_product)

    def with_batch_statistics(self, x: Any) -> Any:
        """Return normalised and pooled values, and update the moving statistics."""
        y = ops.cast(self.product(x, self.product.layer.kernel), self.statistics_dtype)
        return self.normalised(y, self.product.bias(y.dtype))

    def with_moving_statistics(self, x: Any) -> Any:
        """Return the product with a kernel that normalises, pooled."""
        dtype = self.statistics_dtype
        scale, offset = self.norm.scale_and_offset(self.product.bias(dtype), *self.norm.moving_statistics(dtype))
        y = self.pooled(self.product(x, self.product.kernel(dtype) * scale))
        return ops.cast(y, dtype) + offset


class WindowBlock(ProductBlock):
    """A convolution over windows of few values, as over the four bases.

    Mean and variance of the product follow from the covariance of the windows, a small matrix. The normalisation is
    then part of the kernel, and what leaves the product is pooled at once: the whole product, the largest tensor of
    a network, is neither written down nor normalised.

    Args:
        chain: The layers.
        lowering: How convolutions and pooling are computed.
        product: Product of the convolution.
        windows: Its windows.
    """

    def __init__(self, chain: Chain, lowering: Lowering, product: Product, windows: Windows) -> None:
        super().__init__(chain, lowering, product)
        self.windows = windows

    def with_batch_statistics(self, x: Any) -> Any:
        """Return normalised and pooled values, and update the moving statistics."""
        dtype = self.statistics_dtype
        x = ops.cast(ops.cast(x, self.dtype_of_product), dtype)
        # Any constant may be subtracted; the mean keeps the sums of products accurate.
        shift = ops.stop_gradient(ops.mean(x, axis=(0, 1)))
        slices = self.windows.slices(self.windows.padded(x) - shift)
        rows = ops.concatenate([*slices, ops.ones_like(slices[0][..., :1])], axis=-1)
        kernel = ops.reshape(self.product.kernel(dtype), (-1, self.product.layer.filters))
        bias = self.product.bias(dtype)
        centre, variance = product_moments(ops.reshape(rows, (-1, rows.shape[-1])), kernel)
        mean = centre + bias
        self.norm.update(mean + ops.matmul(ops.tile(shift, self.windows.size)[None], kernel)[0], variance)
        # The bias cancels; it stays in the graph, where its gradient is 0.
        scale, offset = self.norm.scale_and_offset(bias, mean, variance)
        kernel = ops.concatenate([kernel * scale, offset[None]], axis=0)
        return largest_product(
            ops.cast(rows, self.dtype_of_product), ops.cast(kernel, self.dtype_of_product), self.pool_size
        )


def _statistics_dtype(dtype: Any) -> str:
    # Keras promotes float64 and float32 to float32 on JAX.
    return "float64" if dtype == "float64" else "float32"
