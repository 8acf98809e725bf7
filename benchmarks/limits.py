"""What a device can do at most, measured, and what a training step needs at least, counted.

The time of a step over the larger of (arithmetic / FLOP/s of a large matrix product) and (memory traffic / bytes/s of a
large copy) says how far a program is from the limit of its device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from harness import alternate, median
from keras import ops

BYTES = {"float32": 4, "mixed_bfloat16": 2}
_CHAIN = 8


def ceilings(policy: str, repeats: int, size: int) -> dict[str, float]:
    """Measure what the device can do in the compute dtype of a policy.

    Args:
        policy: Name of a Keras dtype policy.
        repeats: Timed calls of each.
        size: Side of the square matrices; the copied vector has four times as many numbers as one of them.

    Returns:
        FLOP/s of a chain of matrix products and bytes/s of a copy, read and write counted.
    """
    dtype = "bfloat16" if policy == "mixed_bfloat16" else "float32"
    square = ops.ones((size, size), dtype)
    vector = ops.ones((size * size * 4,), "float32")
    product, copy = compiled(_products), compiled(lambda x: x + 1)
    seconds = alternate({"product": lambda: wait(product(square)), "copy": lambda: wait(copy(vector))}, repeats, 2)
    return {
        "flops_a_second": 2 * size**3 * _CHAIN / median(seconds["product"]),
        "bytes_a_second": 2 * vector.shape[0] * 4 / median(seconds["copy"]),
    }


def _products(x: Any) -> Any:
    y = x
    for _ in range(_CHAIN):
        y = ops.matmul(y, x) * (1 / x.shape[0])
    return y


def compiled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a compiled function; TensorFlow uses XLA on a GPU alone, as Keras does."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=bool(tf.config.list_logical_devices("GPU")))


def wait(value: Any) -> None:
    """Wait for a result without copying all of it."""
    np.asarray(ops.convert_to_numpy(ops.ravel(value)[:1]))


def work_of_a_step(network: keras.Model, batch_size: int, policy: str) -> dict[str, float]:
    """Count the arithmetic and the least memory traffic of one training step of one network.

    Arithmetic: the products of convolutions and dense layers, forward, and twice that backward; the first layer has no
    gradient of its input. Traffic: every product's output is written once and read once forward; backward it and its
    gradient are read, and the gradient is written; Adam reads four arrays of the size of the weights and writes three.
    """
    flops = traffic = 0.0
    products = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv1D | keras.layers.Dense)]
    for layer in products:
        positions = int(np.prod(layer.output.shape[1:-1], dtype=int))
        forward = 2.0 * batch_size * positions * int(np.prod(layer.kernel.shape))
        flops += forward * (2 if layer is products[0] else 3)
        traffic += 5.0 * BYTES[policy] * batch_size * int(np.prod(layer.output.shape[1:]))
    traffic += 7.0 * 4 * network.count_params()
    return {"flops": flops, "bytes": traffic}
