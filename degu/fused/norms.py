"""The variables of a batch normalisation layer, as the blocks use them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Norm:
    """A batch normalisation layer of Keras whose arithmetic is done elsewhere.

    Args:
        layer: The layer; its variables are read and its moving statistics updated.
    """

    def __init__(self, layer: keras.layers.BatchNormalization) -> None:
        self.layer = layer

    def affine(self, dtype: str) -> tuple[Any, Any]:
        """Return gamma and beta `(C,)`; ones and zeros where the layer has none."""
        layer, shape = self.layer, self.layer.moving_mean.shape
        gamma = ops.cast(layer.gamma, dtype) if layer.scale else ops.ones(shape, dtype)
        beta = ops.cast(layer.beta, dtype) if layer.center else ops.zeros(shape, dtype)
        return gamma, beta

    def moving_statistics(self, dtype: str) -> tuple[Any, Any]:
        """Return the moving mean and variance `(C,)`."""
        return ops.cast(self.layer.moving_mean, dtype), ops.cast(self.layer.moving_variance, dtype)

    def inverse(self, variance: Any) -> Any:
        """Return 1 / sqrt(variance + epsilon)."""
        return ops.rsqrt(variance + self.layer.epsilon)

    def scale_and_offset(self, bias: Any, mean: Any, variance: Any) -> tuple[Any, Any]:
        """Return what normalises a product without its bias: scale * product + offset.

        Args:
            bias: Bias of the product, `(C,)`.
            mean: Mean of the product with its bias.
            variance: Variance of the product.
        """
        gamma, beta = self.affine(mean.dtype)
        scale = gamma * self.inverse(variance)
        return scale, beta + (bias - mean) * scale

    def update(self, mean: Any, variance: Any) -> None:
        """Move the moving statistics towards those of a batch, as Keras does."""
        momentum = self.layer.momentum
        for moving, new in ((self.layer.moving_mean, mean), (self.layer.moving_variance, variance)):
            moving.assign(moving * momentum + ops.cast(ops.stop_gradient(new), moving.dtype) * (1.0 - momentum))
