from typing import NamedTuple

import numpy as np
import pytest


class Step(NamedTuple):
    outputs: np.ndarray
    gradients: list[np.ndarray]
    statistics: list[np.ndarray]


@pytest.fixture
def float64(monkeypatch):
    import keras
    from keras.src import backend

    if keras.backend.backend() == "jax":
        # There Keras takes float32 as the common dtype of float64 and float32, and normalises in it.
        common = backend.result_type
        monkeypatch.setattr(
            backend, "result_type", lambda *dtypes: "float64" if "float64" in map(str, dtypes) else common(*dtypes)
        )
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@pytest.fixture
def randomised():
    """Give a model random weights of both signs, and positive moving variances."""

    def randomise(model, seed=0):
        rng = np.random.default_rng(seed)
        for variable in model.weights:
            values = rng.normal(0, 0.5, variable.shape)
            variable.assign(np.abs(values) + 0.1 if variable.name == "moving_variance" else values)
        return model

    return randomise


@pytest.fixture
def dna():
    """One-hot sequences; the first is a homopolymer, in which neighbouring windows are equal."""

    def make(size=6, length=70, seed=0):
        tokens = np.random.default_rng(seed).integers(0, 4, (size, length))
        tokens[0] = 2
        return np.eye(4)[tokens]

    return make


def value_of(variables):
    import keras

    return [np.array(keras.ops.convert_to_numpy(variable.value), copy=True) for variable in variables]


@pytest.fixture
def step():
    """Return outputs, gradients (last that of the input) and new statistics of a training step without an optimiser.

    The model is left as it was, streams of random numbers included.
    """
    import keras

    def tensorflow_step(model, x, direction):
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
            loss = tf.reduce_sum(outputs * tf.cast(direction, outputs.dtype)) + sum(
                tf.cast(penalty, outputs.dtype) for penalty in model.losses
            )
        found = tape.gradient(loss, [*(variable.value for variable in model.trainable_variables), x])
        assert all(gradient is not None for gradient in found)
        statistics = value_of(model.non_trainable_weights)
        return Step(outputs.numpy(), [tf.convert_to_tensor(g).numpy() for g in found], statistics)

    def jax_step(model, x, direction):
        import jax

        fixed = [variable.value for variable in model.non_trainable_variables]

        def loss(trained, x):
            outputs, new, losses = model.stateless_call(trained, fixed, x, training=True, return_losses=True)
            return (outputs * direction).sum() + sum(losses), (outputs, new)

        trained = [variable.value for variable in model.trainable_variables]
        (_, (outputs, new)), found = jax.value_and_grad(loss, (0, 1), has_aux=True)(trained, jax.numpy.asarray(x))
        kept = [
            np.asarray(value)
            for value, variable in zip(new, model.non_trainable_variables, strict=True)
            if any(variable is weight for weight in model.weights)
        ]
        return Step(np.asarray(outputs), [np.asarray(g) for g in (*found[0], found[1])], kept)

    def run(model, x, seed=1):
        before = value_of(model.variables)
        x = np.asarray(x, model.inputs[0].dtype if hasattr(model, "inputs") else model.source.inputs[0].dtype)
        direction = np.random.default_rng(seed).normal(size=(len(x), *model.output_shape[1:]))
        done = (jax_step if keras.backend.backend() == "jax" else tensorflow_step)(model, x, direction)
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)
        return done

    return run


@pytest.fixture
def assert_equal_steps(step):
    """Check that two models do the same; differences are measured against the largest entry of each tensor."""

    def check(model, form, x, tolerance):
        expected, received = step(model, x), step(form, x)
        assert_close([expected.outputs], [received.outputs], tolerance)
        assert_close(expected.statistics, received.statistics, tolerance)
        assert_close(expected.gradients, received.gradients, tolerance)
        assert_close([predicted(model, x)], [predicted(form, x)], tolerance)

    return check


def predicted(model, x):
    import keras

    return keras.ops.convert_to_numpy(model(np.asarray(x), training=False))


def assert_close(expected, received, tolerance):
    sizes = [np.abs(np.asarray(tensor, "float64")).max() for tensor in expected]
    for one, other, size in zip(expected, received, sizes, strict=True):
        # tensors that are zero in exact arithmetic hold rounding errors of the others
        scale = max(size, 1e-3 * max(sizes), 1e-30)
        np.testing.assert_array_less(
            np.abs(np.asarray(one, "float64") - np.asarray(other, "float64")) / scale, tolerance
        )
