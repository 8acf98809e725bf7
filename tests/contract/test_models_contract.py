"""Every file of conf/model gives a model that keeps the promises of `degu.models`."""

import functools
from pathlib import Path

import hydra.utils
import keras
import numpy as np
import pytest
import yaml

from degu.losses import GaussianNLL
from degu.models.heads import output_columns

CONFIGS = {path.stem: path for path in sorted((Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))}
LENGTHS = {"deepstarr": 249, "dream_rnn": 249, "small_cnn": 75}
TARGETS = 2


def length(name):
    return LENGTHS.get(name.removesuffix("_heteroscedastic"), 230)


def build(name, seed=0):
    """Build at the natural length, narrow where the architecture has a width."""
    node = yaml.safe_load(CONFIGS[name].read_text())
    if "width" in node:
        node["width"] = 0.05
    keras.utils.set_random_seed(seed)
    return hydra.utils.instantiate(node, _convert_="all")((length(name), 4), TARGETS)


@functools.cache
def built(name):
    return build(name)


def sequences(name, count=8):
    codes = np.random.default_rng(0).integers(0, 4, (count, length(name)))
    return np.eye(4, dtype="float32")[codes]


def input_gradient(model, x):
    if keras.backend.backend() == "jax":
        import jax

        trainable, other = model.trainable_variables, model.non_trainable_variables
        return jax.grad(lambda value: model.stateless_call(trainable, other, value)[0].sum())(x)
    import tensorflow as tf

    value = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(value)
        total = tf.reduce_sum(model(value, training=False))
    return tape.gradient(total, value)


@pytest.fixture(params=CONFIGS)
def name(request):
    return request.param


def test_input_shape_and_outputs_do_not_stand_in_the_config(name):
    node = yaml.safe_load(CONFIGS[name].read_text())
    assert node["_partial_"] is True
    assert not {"input_shape", "num_outputs"} & node.keys()


def test_forward_pass_has_the_promised_columns(name):
    model = built(name)
    outputs = keras.ops.convert_to_numpy(model(sequences(name), training=False))
    groups = 2 if name.endswith("_heteroscedastic") else 1
    assert outputs.shape == (8, groups * TARGETS)
    assert outputs.dtype == np.float32
    assert np.isfinite(outputs).all()
    assert model.layers[-1].name == "output"
    assert [column.meaning for column in output_columns(model)[:TARGETS]] == ["mean"] * TARGETS


def test_gradient_reaches_the_sequence(name):
    gradient = np.asarray(input_gradient(built(name), sequences(name)))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


# Keras reads TensorFlow variables for a file through an `__array__` that NumPy 2 finds old-fashioned.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_saved_model_answers_the_same(name, tmp_path):
    model = built(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    x = sequences(name)
    np.testing.assert_array_equal(np.asarray(loaded(x)), np.asarray(model(x)))
    assert output_columns(loaded) == output_columns(model)


def test_seed_decides_the_initial_weights(name):
    first, again, other = (
        built(name).get_weights(),
        build(name, seed=0).get_weights(),
        build(name, seed=1).get_weights(),
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    kernels = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1]
    assert not any(np.array_equal(a, b) for a, b in kernels)


def test_one_step_of_training_changes_the_weights(name):
    model = build(name)
    before = model.get_weights()
    unit = next((column.unit for column in output_columns(model) if column.unit), None)
    model.compile("adam", GaussianNLL(unit) if unit else "mse")
    y = np.random.default_rng(1).normal(size=(8, TARGETS)).astype("float32")
    loss = model.train_on_batch(sequences(name), y)
    assert np.isfinite(loss)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert np.mean(changed) > 0.5
