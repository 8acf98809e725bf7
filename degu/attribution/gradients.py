"""The one place that differentiates, which every backend does in its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from degu.errors import ConfigError

ArrayFun = Callable[[NDArray], NDArray]


def compiled_value(fun: Callable[[Any], Any], networks: Sequence[keras.Model]) -> ArrayFun:
    """Return a compiled form of a function of sequences.

    Args:
        fun: From a batch `(B, L, 4)` to one number a sequence, `(B,)`, by way of the networks.
        networks: The networks whose weights it reads. They may change between calls.

    Returns:
        The same function of NumPy arrays.

    Raises:
        ConfigError: When the backend is neither TensorFlow nor JAX.
    """
    if _backend() == "jax":
        return _jax(fun, networks)
    return _tensorflow(fun, networks)


def compiled_gradient(fun: Callable[[Any], Any], networks: Sequence[keras.Model]) -> ArrayFun:
    """Return the compiled gradient of a function of sequences.

    Args:
        fun: As for `compiled_value`; its number for a sequence depends on that sequence alone.
        networks: As for `compiled_value`.

    Returns:
        A function of NumPy arrays from `(B, L, 4)` to derivatives of the same shape.

    Raises:
        ConfigError: When the backend is neither TensorFlow nor JAX.
    """
    if _backend() == "jax":
        import jax

        return _jax(fun, networks, lambda value: jax.grad(lambda x, weights: ops.sum(value(x, weights))))
    import tensorflow as tf

    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = fun(x)
        return tape.gradient(value, x, unconnected_gradients="zero")

    return _tensorflow(gradient, networks)


def _backend() -> str:
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ConfigError(
            f"Expected the Keras backend tensorflow or jax for attributions. Received: {backend}. "
            "Set KERAS_BACKEND=tensorflow"
        )
    return backend


def _tensorflow(fun: Callable[[Any], Any], networks: Sequence[keras.Model]) -> ArrayFun:
    """Trace once, for batches of every size."""
    import tensorflow as tf

    spec = tf.TensorSpec(networks[0].input_shape, tf.float32)
    traced = tf.function(fun).get_concrete_function(spec)
    return lambda x: traced(tf.convert_to_tensor(x)).numpy()


def _jax(
    fun: Callable[[Any], Any],
    networks: Sequence[keras.Model],
    transform: Callable[[Callable], Callable] = lambda value: value,
) -> ArrayFun:
    """Compile with the weights as arguments, because JAX would copy constants into the program."""
    import jax

    variables = [variable for network in networks for variable in network.weights]

    def value(x: Any, weights: Sequence[Any]) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            return fun(x)

    compiled = jax.jit(transform(value))
    return lambda x: np.asarray(compiled(x, [variable.value for variable in variables]))
