"""Where a weight of an inference form comes from, as a function of the weights of its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from degu.fused.chains import Chain

Origin = Callable[[Sequence[NDArray]], NDArray]
"""From the weights of the source to one of the form; each may have a leading axis of members."""


@dataclass(frozen=True)
class Copied:
    """A weight that stays as it is.

    Attributes:
        index: Its position among the weights of the source.
    """

    index: int

    def __call__(self, weights: Sequence[NDArray]) -> NDArray:
        """Return the weight."""
        return weights[self.index]


@dataclass(frozen=True)
class Folded:
    """The kernel or bias of a convolution or dense layer with the normalisation behind it.

    With scale = gamma / sqrt(variance + epsilon), the kernel becomes kernel * scale and the bias
    (bias - mean) * scale + beta. Attributes that end in `index` are positions among the weights of the source.

    Attributes:
        part: Which of the two it is.
        kernel_shape: Shape of one kernel, the channels that leave on its last axes.
        channel_axes: How many axes of the kernel these channels have: 2 in a depthwise convolution, otherwise 1.
        epsilon: That of the normalisation.
        kernel_index: Kernel.
        bias_index: Bias, None where there is none; so for gamma and beta.
        gamma_index: Scale of the normalisation.
        beta_index: Offset of the normalisation.
        mean_index: Moving mean.
        variance_index: Moving variance.
    """

    part: Literal["kernel", "bias"]
    kernel_shape: tuple[int, ...]
    channel_axes: int
    epsilon: float
    kernel_index: int
    bias_index: int | None
    gamma_index: int | None
    beta_index: int | None
    mean_index: int
    variance_index: int

    @classmethod
    def of(cls, part: Literal["kernel", "bias"], chain: Chain, indices: dict[int, int]) -> Folded:
        """Return the fold of a chain.

        Args:
            part: Kernel or bias.
            chain: A chain with a producer and a normalisation.
            indices: Position of each variable among the weights of the source, by the variable's id.
        """
        producer, norm = chain.producer, chain.norm
        assert producer is not None
        assert norm is not None
        kernel, *bias = producer.weights
        return cls(
            part=part,
            kernel_shape=tuple(kernel.shape),
            channel_axes=2 if hasattr(producer, "depth_multiplier") else 1,
            epsilon=norm.epsilon,
            kernel_index=indices[id(kernel)],
            bias_index=indices[id(bias[0])] if bias else None,
            gamma_index=indices[id(norm.gamma)] if norm.scale else None,
            beta_index=indices[id(norm.beta)] if norm.center else None,
            mean_index=indices[id(norm.moving_mean)],
            variance_index=indices[id(norm.moving_variance)],
        )

    def __call__(self, weights: Sequence[NDArray]) -> NDArray:
        """Return the kernel or bias; computed in double precision, in the dtype of the kernel."""
        kernel = weights[self.kernel_index]
        scale = 1 / np.sqrt(weights[self.variance_index].astype(np.float64) + self.epsilon)
        scale = scale if self.gamma_index is None else scale * weights[self.gamma_index]
        if self.part == "kernel":
            inner = (1,) * (len(self.kernel_shape) - self.channel_axes) + self.kernel_shape[-self.channel_axes :]
            return (kernel * scale.reshape(*scale.shape[:-1], *inner)).astype(kernel.dtype)
        bias = -weights[self.mean_index] * scale
        bias = bias if self.bias_index is None else bias + weights[self.bias_index] * scale
        return (bias if self.beta_index is None else bias + weights[self.beta_index]).astype(kernel.dtype)
