"""Mean and variance of a batch, and normalisation with them, in few passes over the data.

References:
    Ioffe, Szegedy (2015), "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", arXiv:1502.03167.
"""

from __future__ import annotations

from typing import Any

from keras import ops


def moments(rows: Any) -> tuple[Any, Any]:
    """Return mean and variance `(C,)` of rows `(N, C)` as constants: no gradient passes through them."""
    rows = ops.stop_gradient(rows)
    # `keras.ops.mean` computes in single precision on JAX, also for float64.
    number = ops.cast(ops.shape(rows)[0], rows.dtype)
    mean = ops.sum(rows, axis=0) / number
    return mean, ops.sum(ops.square(rows - mean), axis=0) / number


@ops.custom_gradient
def normalised(rows: Any, bias: Any, gamma: Any, beta: Any, mean: Any, inverse: Any) -> tuple[Any, Any]:
    """Normalise `rows + bias` with the mean and variance of its own rows.

    The gradient with respect to `rows` includes the way through mean and variance. The bias has no effect on what is
    returned, so it does not enter and its gradient is 0.

    Args:
        rows: Shape `(N, C)`.
        bias: Shape `(C,)`.
        gamma: Scale, shape `(C,)`.
        beta: Offset, shape `(C,)`.
        mean: That of `rows`, as `moments` returns it.
        inverse: 1 / sqrt(variance + epsilon), shape `(C,)`.

    Returns:
        Shape `(N, C)`. The function of the upstream gradient beside it is for Keras.
    """
    scale = gamma * inverse

    def backward(g: Any) -> tuple[Any, ...]:
        number = ops.cast(ops.shape(rows)[0], rows.dtype)
        sum_g = ops.sum(g, axis=0)
        slope = ops.sum(g * rows, axis=0) - mean * sum_g
        tilt = -scale * slope * ops.square(inverse) / number
        g_rows = g * scale + (rows * tilt - (scale * sum_g / number + mean * tilt))
        zeros = ops.zeros_like(bias)
        return g_rows, zeros, slope * inverse, sum_g, zeros, zeros

    return rows * scale + (beta - mean * scale), backward


def product_moments(rows: Any, kernel: Any) -> tuple[Any, Any]:
    """Return mean and variance over all rows of `rows @ kernel`, from mean and covariance of the rows.

    The mean is `centre @ kernel` and the variance of filter f is `kernel[:, f] @ covariance @ kernel[:, f]`. Gradients
    pass through both.

    Args:
        rows: Shape `(N, D + 1)`; the last column is 1. The means of the other columns should be small beside their
            deviations, because the covariance is computed from uncentred products.
        kernel: Shape `(D, F)`.

    Returns:
        Two tensors of shape `(F,)`.
    """
    products = ops.matmul(ops.transpose(rows), rows) / ops.cast(ops.shape(rows)[0], rows.dtype)
    centre = products[-1, :-1]
    covariance = products[:-1, :-1] - centre[:, None] * centre
    variance = ops.sum(kernel * ops.matmul(covariance, kernel), axis=0)
    return ops.matmul(centre[None], kernel)[0], ops.maximum(variance, 0)
