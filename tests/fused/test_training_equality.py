"""The training form computes what the model computes: outputs, every gradient, moving statistics."""

import keras
import numpy as np
import pytest
from keras import layers

from degu import models
from degu.fused import TrainingForm, training_form

SMALL = {
    "deepstarr": {"width": 0.05},
    "small_cnn": {"filters": (40, 7), "dense": 5},
    "residualbind": {"width": 0.05, "num_dilations": 2},
    "mprann": {"width": 0.03},
    "legnet": {"width": 0.06, "filters": (64, 32)},
    "dream_rnn": {"width": 0.02},
}


def conv(x, filters=6, size=3, pool=2, activation="relu", norm=None, **kwargs):
    x = layers.Conv1D(filters, size, **{"padding": "same", **kwargs})(x)
    x = layers.BatchNormalization(**(norm or {}))(x)
    x = layers.Activation(activation)(x)
    return layers.MaxPooling1D(pool)(x) if pool > 1 else x


def network(*blocks, length=23):
    """A network of blocks, each a function of a tensor; two outputs."""
    x = inputs = keras.Input((length, 4))
    for block in blocks:
        x = block(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def block(**kwargs):
    return lambda x: conv(x, **kwargs)


CASES = {
    "wide and narrow windows": (block(filters=14), block(filters=5)),
    "narrow windows inside": (block(filters=8, size=1), block(filters=24), block(filters=80)),
    "no pooling": (block(filters=14, pool=1), block(pool=1)),
    "pools of three": (block(filters=14, pool=3), block(pool=3)),
    "pools of five that leave three": (block(filters=14, pool=5),),
    "pool as long as the sequence": (block(filters=14, pool=23),),
    "valid padding": (block(filters=14, padding="valid"), block(padding="valid")),
    "causal padding": (block(filters=14, padding="causal"), block(padding="causal")),
    "dilation": (block(filters=14, dilation_rate=2), block(dilation_rate=3)),
    "causal with dilation": (block(filters=14, dilation_rate=2, padding="causal"),),
    "stride": (block(filters=16, strides=2, size=4), block(strides=2)),
    "even windows": (block(filters=18, size=4), block(size=2)),
    "window longer than the sequence": (block(filters=200, size=25),),
    "no bias": (block(filters=14, use_bias=False), block(use_bias=False)),
    "no scale": (block(filters=14, norm={"scale": False}), block(norm={"scale": False})),
    "no offset": (block(filters=14, norm={"center": False}), block(norm={"center": False})),
    "other momentum and epsilon": (block(filters=14, norm={"momentum": 0.5, "epsilon": 0.1}),),
    "silu": (block(filters=14, activation="silu"), block(activation="silu")),
    "tanh": (block(filters=14, activation="tanh"), block(activation="tanh")),
    "elu": (block(filters=14, activation="elu"), block(activation="elu")),
    "softmax": (block(filters=14, activation="softmax"), block(activation="softmax")),
    "activation layers": (
        lambda x: layers.MaxPooling1D(2)(layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv1D(14, 3)(x)))),
        lambda x: layers.MaxPooling1D(2)(layers.LeakyReLU(0.3)(layers.BatchNormalization()(layers.Conv1D(5, 3)(x)))),
    ),
    "pooling without activation": (
        lambda x: layers.MaxPooling1D(2)(layers.BatchNormalization()(layers.Conv1D(14, 3)(x))),
        lambda x: layers.MaxPooling1D(2)(layers.BatchNormalization()(layers.Conv1D(5, 3)(x))),
    ),
    "overlapping pools": (lambda x: layers.MaxPooling1D(3, 2)(conv(x, 14, pool=1)),),
    "padded pools": (lambda x: layers.MaxPooling1D(2, padding="same")(conv(x, 14, pool=1)),),
    "average pools": (lambda x: layers.AveragePooling1D(2)(conv(x, 14, pool=1)),),
    "activation inside the convolution": (
        lambda x: layers.BatchNormalization()(layers.Conv1D(14, 3, activation="silu")(x)),
    ),
    "normalisation of the input": (lambda x: layers.MaxPooling1D(2)(layers.BatchNormalization()(x)),),
    "dense along the sequence": (lambda x: layers.ReLU()(layers.BatchNormalization()(layers.Dense(7)(x))),),
    "dense after pooling": (
        block(filters=14),
        layers.Flatten(),
        lambda x: layers.ReLU()(layers.BatchNormalization()(layers.Dense(7)(x))),
    ),
    "residual branch": (block(filters=14, pool=1), lambda x: layers.Add()([x, conv(x, 14, pool=1)]), block()),
    "value used twice": (lambda x: layers.Add()([y := layers.Conv1D(14, 3)(x), layers.BatchNormalization()(y)]),),
    "normalised value used twice": (
        lambda x: layers.Concatenate()([y := conv(x, 14, pool=1), layers.MaxPooling1D(1)(y)]),
    ),
    "depthwise": (lambda x: layers.BatchNormalization()(layers.DepthwiseConv1D(3, depth_multiplier=2)(x)),),
}


@pytest.mark.parametrize("lowering", ["conv", "matmul"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("float64")
def test_blocks(case, lowering, randomised, dna, assert_equal_steps):
    model = randomised(network(*CASES[case]))
    form = training_form(model, lowering)
    assert isinstance(form, TrainingForm)
    assert_equal_steps(model, form, dna(length=23), 1e-9)


@pytest.mark.parametrize("lowering", ["conv", "matmul"])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.usefixtures("float64")
def test_architectures(name, lowering, randomised, dna, assert_equal_steps):
    model = randomised(getattr(models, name)((70, 4), 2, **SMALL[name]))
    assert_equal_steps(model, training_form(model, lowering), dna(), 1e-8)


@pytest.mark.parametrize("lowering", ["conv", "matmul"])
def test_single_precision(lowering, randomised, dna, assert_equal_steps):
    keras.utils.set_random_seed(0)
    model = randomised(models.deepstarr((70, 4), 2, width=0.05))
    assert_equal_steps(model, training_form(model, lowering), dna(size=16).astype("float32"), 2e-3)


@pytest.mark.parametrize("gammas", [[0.0, -1.0, 1.0], [0.0, 0.0, 0.0], [-2.0, -1e-3, 0.0]])
@pytest.mark.usefixtures("float64")
def test_signs_of_gamma(gammas, randomised, dna, assert_equal_steps):
    model = randomised(network(block(filters=15), block(filters=6)))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(np.resize(gammas, layer.gamma.shape))
    assert_equal_steps(model, training_form(model), dna(length=23), 1e-9)


@pytest.mark.usefixtures("float64")
def test_ties_belong_to_the_first_position(randomised, step):
    """In a homopolymer all inner windows are equal, so that every gradient depends on which of them is chosen."""
    model = randomised(network(block(filters=14, padding="valid"), length=20))
    x = np.zeros((3, 20, 4))
    x[:, :, 1] = 1
    expected, received = step(model, x).gradients[-1], step(training_form(model), x).gradients[-1]
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(received, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.usefixtures("float64")
def test_frozen_normalisation_uses_moving_statistics(randomised, dna, assert_equal_steps, step):
    model = randomised(network(block(filters=14), block(filters=5)))
    form = training_form(model)
    model.layers[2].trainable = False
    assert_equal_steps(model, form, dna(length=23), 1e-9)
    assert any(variable is model.layers[2].moving_mean for variable in form.non_trainable_variables)
    before = keras.ops.convert_to_numpy(model.layers[2].moving_mean)
    form(dna(length=23), training=True)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.layers[2].moving_mean), before)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_accuracy_of_variances_of_inputs_far_from_zero(offset, randomised):
    """Windows of few values: sums of squares without a shift would lose all digits here."""
    x = np.random.default_rng(0).normal(offset, 1.0, (64, 50, 4)).astype("float32")
    model = randomised(network(block(filters=14, padding="valid"), length=50))
    exact = np.lib.stride_tricks.sliding_window_view(x.astype("float64"), 3, axis=1).reshape(64 * 48, 4, 3)
    kernel = keras.ops.convert_to_numpy(model.layers[1].kernel).astype("float64")
    variance = np.einsum("ncs,scf->nf", exact, kernel).var(0)
    model.layers[2].momentum = 0.0
    training_form(model)(x, training=True)
    found = keras.ops.convert_to_numpy(model.layers[2].moving_variance)
    np.testing.assert_allclose(found, variance, rtol=2e-3)


@pytest.mark.usefixtures("float64")
def test_twenty_steps_of_adam(dna):
    x, y = dna(size=80, length=40), np.random.default_rng(3).normal(size=(80, 2))
    trained = []
    for make in (lambda model: model, training_form):
        keras.utils.set_random_seed(5)
        model = models.deepstarr((40, 4), 2, width=0.05, dropout=0.3)
        keras.utils.set_random_seed(6)
        made = make(model)
        made.compile(keras.optimizers.Adam(0.001), "mse")
        made.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for plain, fused in zip(*trained, strict=True):
        np.testing.assert_allclose(fused, plain, atol=1e-10 * max(1.0, np.abs(plain).max()))


def test_mixed_precision_keeps_statistics_in_single_precision(randomised, dna):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = randomised(network(block(filters=14), block(filters=5)))
    finally:
        keras.config.set_dtype_policy("float32")
    form, x = training_form(model), dna(size=16, length=23).astype("float32")
    before = model.get_weights()
    expected = keras.ops.convert_to_numpy(keras.ops.cast(model(x, training=True), "float32"))
    statistics = model.get_weights()
    model.set_weights(before)
    outputs = form(x, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    received = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    np.testing.assert_allclose(received, expected, atol=0.05 * np.abs(expected).max())
    for one, other in zip(statistics, model.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, atol=2e-3 * max(1, np.abs(one).max()))
