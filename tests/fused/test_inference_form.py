"""The inference form predicts what the model predicts, from fewer layers and folded weights."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from degu import models
from degu.augment import RandomInsertion, RandomMutation, RandomSubset
from degu.errors import ConfigError
from degu.fused import Folding, folded_weights, inference_form, training_form
from degu.train.dynamic import augmented_model

SMALL = {
    "deepstarr": {"width": 0.05},
    "small_cnn": {"filters": (6, 7), "dense": 5},
    "residualbind": {"width": 0.05, "num_dilations": 2},
    "mprann": {"width": 0.03},
    "legnet": {"width": 0.06, "filters": (64, 32)},
    "dream_rnn": {"width": 0.02},
}


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def outputs_of(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def assert_predicts_alike(form, model, x, tolerance):
    expected, received = outputs_of(model, x), outputs_of(form, x)
    np.testing.assert_allclose(received, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", SMALL)
def test_architectures_in_double_precision(name, randomised, dna, float64):
    model = randomised(getattr(models, name)((70, 4), 2, **SMALL[name]))
    assert_predicts_alike(inference_form(model), model, dna(), 1e-12)


@pytest.mark.parametrize("name", SMALL)
def test_architectures_in_single_precision(name, randomised, dna):
    model = randomised(getattr(models, name)((70, 4), 2, **SMALL[name]))
    assert_predicts_alike(inference_form(model), model, dna().astype("float32"), 5e-6)


def test_deepstarr_has_no_normalisation_and_no_dropout_left():
    form = inference_form(models.deepstarr((40, 4), 2, width=0.05))
    block, dense = ["Conv1D", "MaxPooling1D", "Activation"], ["Dense", "Activation"]
    assert kinds(form) == ["InputLayer", *block * 4, "Flatten", *dense * 2, "Dense"]


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.BatchNormalization(scale=False)(layers.Conv1D(5, 3, use_bias=False)(x)),
        lambda x: layers.BatchNormalization(center=False)(layers.Conv1D(6, 3, groups=2, strides=2)(x)),
        lambda x: layers.BatchNormalization(epsilon=0.5)(layers.Conv1D(6, 3, padding="causal", dilation_rate=2)(x)),
        lambda x: layers.BatchNormalization()(layers.DepthwiseConv1D(3, depth_multiplier=3)(x)),
        lambda x: layers.BatchNormalization()(layers.Dense(7, use_bias=False)(x)),
    ],
)
def test_layers_that_a_normalisation_is_folded_into(make, randomised, dna, float64):
    inputs = keras.Input((20, 4))
    model = randomised(keras.Model(inputs, make(inputs)))
    form = inference_form(model)
    assert len(form.layers) == 2
    assert_predicts_alike(form, model, dna(length=20), 1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.BatchNormalization()(layers.Conv1D(5, 3, activation="relu")(x)),
        lambda x: layers.Concatenate()([y := layers.Conv1D(5, 3)(x), layers.BatchNormalization()(y)]),
        lambda x: layers.BatchNormalization(axis=1)(layers.Conv1D(5, 3)(x)),
    ],
)
def test_a_normalisation_that_nothing_can_take_stays(make, randomised, dna, float64):
    inputs = keras.Input((20, 4))
    model = randomised(keras.Model(inputs, make(inputs)))
    form = inference_form(model)
    assert "BatchNormalization" in kinds(form)
    assert_predicts_alike(form, model, dna(length=20), 1e-12)


def test_layers_of_training_alone_are_left_out(dna):
    inputs = keras.Input((20, 4))
    x = layers.SpatialDropout1D(0.5)(layers.GaussianNoise(1.0)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.5)(layers.GaussianDropout(0.5)(x))))
    form = inference_form(model)
    assert kinds(form) == ["InputLayer", "Dense"]
    assert_predicts_alike(form, model, dna(length=20).astype("float32"), 1e-6)


def test_dropout_that_is_always_on_stays():
    inputs = keras.Input((20, 4))
    model = keras.Model(inputs, layers.Dropout(0.5)(inputs, training=True))
    assert kinds(inference_form(model)) == ["InputLayer", "Dropout"]


def test_augmentations_are_left_out_unless_they_lengthen(randomised, dna):
    model = randomised(models.deepstarr((32, 4), 2, width=0.05))
    form = inference_form(augmented_model(model, RandomSubset([RandomMutation(0.2)], 1, seed=3), length=32))
    assert kinds(form) == ["InputLayer", "Functional"]
    assert_predicts_alike(form, model, dna(length=32).astype("float32"), 1e-5)
    inputs = keras.Input((20, 4))
    lengthening = keras.Model(inputs, RandomInsertion(1, 5, keep_length=False, seed=1)(inputs))
    assert inference_form(lengthening).output_shape == (None, 25, 4)


def test_a_model_used_twice_is_one_model_in_the_form(randomised, dna, float64):
    inner = models.deepstarr((20, 4), 2, width=0.05)
    inputs = keras.Input((20, 4))
    model = randomised(keras.Model(inputs, layers.Add()([inner(inputs), inner(layers.Dense(4)(inputs))])))
    form = inference_form(model)
    assert len(form.weights) == len(inference_form(inner).weights) + 2
    assert_predicts_alike(form, model, dna(length=20), 1e-12)


def test_the_form_has_weights_of_its_own(randomised, dna):
    model = randomised(models.deepstarr((32, 4), 2, width=0.05))
    form = inference_form(model)
    x = dna(length=32).astype("float32")
    before = outputs_of(form, x)
    randomised(model, seed=1)
    np.testing.assert_array_equal(outputs_of(form, x), before)
    form.set_weights(folded_weights(model))
    assert_predicts_alike(form, model, x, 1e-5)


def test_one_folding_serves_all_networks_of_an_architecture(randomised, dna, float64):
    members = [randomised(models.legnet((32, 4), 2, width=0.1), seed) for seed in range(3)]
    folding = Folding(members[0])
    stacked = [np.stack(values) for values in zip(*(member.get_weights() for member in members), strict=True)]
    together = folding.weights(stacked)
    for index, member in enumerate(members):
        weights = folding.weights(member.get_weights())
        for one, all_members in zip(weights, together, strict=True):
            np.testing.assert_array_equal(all_members[index], one)
        folding.form.set_weights(weights)
        assert_predicts_alike(folding.form, member, dna(length=32), 1e-12)


def test_the_form_of_a_training_form_is_that_of_its_source(randomised, dna, float64):
    model = randomised(models.deepstarr((32, 4), 2, width=0.05))
    assert_predicts_alike(inference_form(training_form(model)), model, dna(length=32), 1e-12)


def test_a_model_whose_layers_are_not_known_is_refused():
    class Own(keras.Model):
        pass

    with pytest.raises(ConfigError, match="functional or sequential Keras model.*Received: Own"):
        inference_form(Own())


def test_its_file_loads_without_this_package(tmp_path, randomised, dna):
    model = randomised(models.deepstarr((32, 4), 2, width=0.05))
    x = dna(length=32).astype("float32")
    inference_form(model).save(tmp_path / "student.keras")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, keras, numpy as np\n"
        "y = keras.saving.load_model('student.keras')(np.load('x.npy'))\n"
        "np.save('y.npy', keras.ops.convert_to_numpy(y))\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'degu']\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    expected = outputs_of(model, x)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5 * np.abs(expected).max())
