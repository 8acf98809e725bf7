"""What the training form shares with its source, and what it leaves alone."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from degu import models
from degu.augment import RandomNoise
from degu.fused import TrainingForm, training_form
from degu.models.heads import Gaussian, output_columns
from degu.train.dynamic import augmented_model


def conv_block(x, filters=14):
    x = layers.BatchNormalization()(layers.Conv1D(filters, 3, padding="same")(x))
    return layers.MaxPooling1D(2)(layers.ReLU()(x))


def small_network(**kwargs):
    inputs = keras.Input((12, 4))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(conv_block(inputs))), **kwargs)


def blocks_of(form):
    return [type(layer).__name__ for layer in form._fused.network.layers if type(layer).__module__.startswith("degu.f")]


def test_variables_are_the_same_objects_in_the_same_order():
    model = models.legnet((40, 4), 2, width=0.1)
    form = training_form(model)
    for name in ("trainable_variables", "non_trainable_variables", "weights", "variables"):
        theirs, ours = getattr(model, name), getattr(form, name)
        assert len(theirs) == len(ours)
        assert all(one is other for one, other in zip(theirs, ours, strict=True))


def test_deepstarr_is_made_of_blocks():
    form = training_form(models.deepstarr((249, 4), 2))
    assert blocks_of(form) == ["WindowBlock"] + ["ProductBlock"] * 5
    plain = {type(layer).__name__ for layer in form._fused.network.layers}
    assert not plain & {"Conv1D", "BatchNormalization", "MaxPooling1D"}


def test_shapes_layers_and_columns_are_those_of_the_source():
    model = models.deepstarr((40, 4), 2, width=0.05, head=Gaussian("logvar"))
    form = training_form(model)
    assert (form.name, form.input_shape, form.output_shape) == (model.name, model.input_shape, model.output_shape)
    assert form.layers == model.layers
    assert output_columns(form) == output_columns(model)


def subclassed():
    class Own(keras.Model):
        def call(self, x):
            return x

    return Own()


class WithItsOwnStep(keras.Model):
    """A model of inputs and outputs that trains in a way of its own."""


def own_step():
    inputs = keras.Input((12, 4))
    return WithItsOwnStep(inputs, conv_block(inputs))


def without_norm():
    inputs = keras.Input((12, 4))
    return keras.Model(inputs, layers.Conv1D(3, 3)(inputs))


def masked():
    inputs = keras.Input((12, 4))
    return keras.Model(inputs, layers.BatchNormalization()(layers.Masking()(inputs)))


def own_layer():
    class Own(layers.BatchNormalization):
        pass

    inputs = keras.Input((12, 4))
    return keras.Model(inputs, Own()(layers.Conv1D(3, 3)(inputs)))


def always_in_training():
    inputs = keras.Input((12, 4))
    return keras.Model(inputs, layers.BatchNormalization()(inputs, training=True))


def other_axis():
    inputs = keras.Input((12, 4))
    return keras.Model(inputs, layers.BatchNormalization(axis=1)(inputs))


def shared_norm():
    inputs = keras.Input((12, 4))
    norm = layers.BatchNormalization()
    return keras.Model(inputs, norm(layers.Dense(4)(norm(inputs))))


@pytest.mark.parametrize(
    "make",
    [
        subclassed,
        own_step,
        without_norm,
        masked,
        own_layer,
        always_in_training,
        other_axis,
        shared_norm,
        lambda: keras.Sequential([layers.BatchNormalization()]),
        lambda: training_form(small_network()),
    ],
)
def test_a_model_with_nothing_to_compute_together_is_returned_as_it_is(make):
    model = make()
    assert training_form(model) is model


def test_a_shared_convolution_is_not_taken_into_a_block(step, dna):
    inputs = keras.Input((12, 4))
    conv = layers.Conv1D(14, 3, padding="same")
    outputs = layers.Add()([layers.BatchNormalization()(conv(inputs)), conv(layers.Dense(4)(inputs))])
    form = training_form(keras.Model(inputs, outputs))
    assert blocks_of(form) == ["InputBlock"]


def test_activity_regularisers_keep_their_layers():
    inputs = keras.Input((12, 4))
    x = layers.BatchNormalization()(layers.Conv1D(14, 3, activity_regularizer="l2")(inputs))
    x = layers.MaxPooling1D(2)(layers.Activation("relu", activity_regularizer="l2")(x))
    model = keras.Model(inputs, x)
    form = training_form(model)
    assert blocks_of(form) == ["InputBlock"]
    x = np.ones((2, 12, 4), "float32")
    form(x, training=True)
    found = sorted(float(loss) for loss in form.losses)
    model(x, training=True)
    np.testing.assert_allclose(found[1:], sorted(float(loss) for loss in model.losses)[1:], rtol=1e-5)
    assert len(found) == 2


def test_convolutions_of_no_chain_are_lowered_too(dna, assert_equal_steps, float64):
    inputs = keras.Input((12, 4))
    outputs = layers.Conv1D(3, 3, dilation_rate=2, activation="tanh")(layers.Conv1D(6, 4, strides=2)(inputs))
    model = keras.Model(inputs, outputs)
    assert training_form(model) is model
    form = training_form(model, "matmul")
    assert blocks_of(form) == ["ConvolutionBlock"] * 2
    assert_equal_steps(model, form, dna(length=12), 1e-9)


def test_regularisers_count(step, dna, assert_equal_steps, float64):
    inputs = keras.Input((12, 4))
    x = layers.Conv1D(14, 3, kernel_regularizer="l2", bias_regularizer="l1")(inputs)
    x = layers.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1")(x)
    model = keras.Model(inputs, layers.Flatten()(layers.Dense(2, kernel_regularizer="l1")(x)))
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, 0.3))
    assert_equal_steps(model, training_form(model), dna(length=12), 1e-9)


@pytest.mark.parametrize("make", [lambda: small_network(name="inner"), lambda: sequential()])
def test_models_inside_a_model(make, randomised, dna, assert_equal_steps, float64):
    inner = make()
    inputs = keras.Input((12, 4))
    twice = layers.Concatenate()([inner(inputs), inner(layers.Dense(4)(inputs))])
    model = randomised(keras.Model(inputs, twice))
    form = training_form(model)
    assert sum(isinstance(layer, TrainingForm) for layer in form._fused.network.layers) == 1
    assert_equal_steps(model, form, dna(length=12), 1e-9)


def sequential():
    chain = [layers.Conv1D(14, 3), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling1D(2)]
    return keras.Sequential([keras.Input((12, 4)), *chain, layers.Flatten(), layers.Dense(2)], name="inner")


def test_a_sequential_model(randomised, dna, assert_equal_steps, float64):
    model = randomised(sequential())
    form = training_form(model)
    assert blocks_of(form) == ["WindowBlock"]
    assert_equal_steps(model, form, dna(length=12), 1e-9)


def test_an_augmented_model_sees_the_same_augmentations(randomised, dna, assert_equal_steps, float64):
    inner = randomised(models.deepstarr((32, 4), 2, width=0.05))
    model = augmented_model(inner, RandomNoise(0.0, 0.5, seed=3), length=32)
    form = training_form(model)
    assert isinstance(form, TrainingForm)
    assert_equal_steps(model, form, dna(length=32), 1e-8)


def test_several_inputs_and_outputs(dna):
    one, other = keras.Input((12, 4), name="one"), keras.Input((12, 4), name="other")
    outputs = {"first": conv_block(one), "second": layers.Add()([conv_block(other), conv_block(one)])}
    model = keras.Model({"one": one, "other": other}, outputs)
    x = {"one": dna(length=12), "other": dna(length=12, seed=1)}
    expected, received = model(x), training_form(model)(x)
    assert expected.keys() == received.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (received[name], value)), atol=1e-6)


def test_files_are_those_of_the_source(tmp_path, dna):
    model = small_network()
    form = training_form(model)
    form.compile("adam", "mse")
    x = dna(length=12)
    form.fit(x, np.ones((len(x), 2)), verbose=0)
    form.save(tmp_path / "form.keras")
    form.save_weights(tmp_path / "form.weights.h5")
    loaded = keras.saving.load_model(tmp_path / "form.keras")
    assert type(loaded) is type(model)
    other = small_network()
    other.load_weights(tmp_path / "form.weights.h5")
    fresh = training_form(small_network())
    fresh.load_weights(tmp_path / "form.weights.h5")
    for found in (loaded, other, fresh):
        for one, expected in zip(found.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, expected)


def test_keras_can_write_and_read_the_form_itself(tmp_path, dna):
    form = training_form(small_network(), "matmul")
    keras.saving.save_model(form, tmp_path / "form.keras")
    loaded = keras.saving.load_model(tmp_path / "form.keras")
    assert isinstance(loaded, TrainingForm)
    assert loaded.lowering == "matmul"
    x = dna(length=12).astype("float32")
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(network(x)) for network in (loaded, form)))


def test_early_stopping_restores_the_best_weights(dna):
    model = small_network()
    form = training_form(model)
    form.compile(keras.optimizers.SGD(10.0), "mse")
    x, y, kept = dna(length=12), np.ones((6, 2)), []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    stop = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = form.fit(x, y, epochs=6, verbose=0, callbacks=[keep, stop])
    best = kept[int(np.nanargmin(history.history["loss"]))]
    assert not np.array_equal(best[0], kept[-1][0])
    for one, expected in zip(model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(one, expected)


def test_the_source_is_left_as_it_is():
    model = small_network()
    config, names = model.get_config(), [layer.name for layer in model.layers]
    training_form(model)
    training_form(model, "matmul")
    assert model.get_config() == config
    assert [layer.name for layer in model.layers] == names
    assert not model.compiled


def test_sequences_of_any_length(dna, randomised, step, float64):
    inputs = keras.Input((None, 4))
    outputs = layers.GlobalAveragePooling1D()(conv_block(inputs))
    model = randomised(keras.Model(inputs, outputs))
    form = training_form(model)
    for length in (9, 14):
        expected, received = step(model, dna(length=length)), step(form, dna(length=length))
        np.testing.assert_allclose(received.outputs, expected.outputs, atol=1e-9)


MAPPED = """
import os
os.environ["KERAS_BACKEND"] = "jax"
import jax, numpy as np
from degu.fused import training_form
from degu.models import deepstarr

model = deepstarr((40, 4), 2, width=0.05, dropout=0.0)
form = training_form(model, "matmul")
rng = np.random.default_rng(0)
x = np.eye(4, dtype="float32")[rng.integers(0, 4, (3, 8, 40))]
fixed = [variable.value for variable in form.non_trainable_variables]
trained = [np.stack([variable.value * (1 + 0.1 * i) for i in range(3)]) for variable in form.trainable_variables]

def loss(network):
    def of(trained, x):
        return (network.stateless_call(trained, fixed, x, training=True)[0] ** 2).sum()
    return jax.grad(of)

together = jax.vmap(loss(form))(trained, x)
for member in range(3):
    alone = loss(model)([values[member] for values in trained], x[member])
    largest = max(abs(g).max() for g in alone)
    for one, other in zip(alone, together):
        np.testing.assert_allclose(other[member], one, atol=2e-4 * max(abs(one).max(), 0.01 * largest))
"""


@pytest.mark.jax
def test_members_can_be_mapped_over_on_jax():
    pytest.importorskip("jax")
    done = subprocess.run([sys.executable, "-c", MAPPED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
