import keras
import numpy as np
import pytest
from keras import ops

from degu.data.encoding import one_hot
from degu.fused.kmers import kmer_form

LAYERS = keras.layers


def network(length, kernel=4, padding="same", pool=2, taps=3, second_padding="same", between=(), **second):
    inputs = keras.Input((length, 4))
    x = LAYERS.Conv1D(5, kernel, padding=padding, activation="tanh")(inputs)
    for layer in between:
        x = layer()(x)
    x = LAYERS.MaxPooling1D(pool)(x) if pool > 1 else x
    x = LAYERS.Conv1D(3, taps, padding=second_padding, **{"activation": "relu", **second})(x)
    return keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(x)))


def drawn(model):
    """Give a model weights without zeros and ones, and return them."""
    generator = np.random.default_rng(0)
    weights = [generator.uniform(0.2, 1.0, values.shape) for values in model.get_weights()]
    model.set_weights([values * generator.choice([-1, 1], values.shape[-1:]) for values in weights])
    for layer in model.layers:
        if isinstance(layer, LAYERS.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance))
    return model.get_weights()


def answers(form, weights, tokens):
    table = ops.convert_to_tensor(form.table(weights))
    return ops.convert_to_numpy(form.tail(form.looked_up(table, form.rows(tokens))))


@pytest.mark.parametrize("length", [16, 17, 31])
@pytest.mark.parametrize(
    "layers",
    [
        {},
        {"kernel": 5, "padding": "valid", "pool": 4, "taps": 2},
        {"kernel": 8, "pool": 1, "second_padding": "valid", "taps": 4},
        {"kernel": 3, "between": (LAYERS.BatchNormalization, LAYERS.LeakyReLU)},
        {"pool": 1, "between": (lambda: LAYERS.AveragePooling1D(3), lambda: LAYERS.Activation("gelu"))},
        {"taps": 1, "use_bias": False, "activation": "linear"},
    ],
    ids=["plain", "valid", "even", "between", "average", "no bias"],
)
def test_looked_up_predictions_are_those_of_the_layers(layers, length):
    model = network(length, **layers)
    weights = drawn(model)
    tokens = np.random.default_rng(1).integers(0, 4, (20, length), dtype=np.uint8)
    expected = model.predict(one_hot(tokens), verbose=0)
    np.testing.assert_allclose(answers(kmer_form(model), weights, tokens), expected, rtol=1e-5, atol=1e-6)


def test_a_table_is_that_of_the_weights_given():
    model = network(20)
    other = [values + 0.1 for values in drawn(model)]
    form = kmer_form(model)
    first = form.table(model.get_weights())
    kept = first.copy()
    second = form.table(other, out=first)
    assert second is first
    assert np.abs(second - kept).max() > 0.01
    tokens = np.random.default_rng(1).integers(0, 4, (5, 20), dtype=np.uint8)
    plain = network(20)
    plain.set_weights(other)
    np.testing.assert_allclose(answers(form, other, tokens), plain.predict(one_hot(tokens), verbose=0), rtol=1e-5)


def test_rows_are_counted_by_hand():
    """Kernel 4 with a base before and two behind, pooled by 2: positions see 5 bases, the outer ones fewer."""
    form = kmer_form(network(16))
    assert form.positions == 8
    assert form.num_rows == 4**5 + 4**4 + 4**3 + 1
    assert form.table(drawn(form._model)).shape == (3 * form.num_rows, 3)


def branching():
    inputs = keras.Input((20, 4))
    x = LAYERS.Conv1D(5, 4, padding="same")(inputs)
    x = LAYERS.Concatenate()([x, LAYERS.Conv1D(3, 3, padding="same")(x)])
    return keras.Model(inputs, LAYERS.Dense(2)(LAYERS.Flatten()(x)))


def any_length():
    inputs = keras.Input((None, 4))
    x = LAYERS.Conv1D(3, 3, padding="same")(LAYERS.Conv1D(5, 4, padding="same")(inputs))
    return keras.Model(inputs, LAYERS.Dense(2)(LAYERS.GlobalMaxPooling1D()(x)))


def flat():
    inputs = keras.Input((20, 4))
    return keras.Model(inputs, LAYERS.Dense(2)(LAYERS.GlobalMaxPooling1D()(LAYERS.Conv1D(5, 4)(inputs))))


@pytest.mark.parametrize(
    "model",
    [
        lambda: network(20, kernel=8),
        lambda: network(15),
        lambda: network(20, between=(lambda: LAYERS.Conv1D(5, 2, strides=2),)),
        lambda: network(20, between=(lambda: LAYERS.LayerNormalization(axis=1),)),
        lambda: network(20, between=(lambda: LAYERS.MaxPooling1D(2),)),
        lambda: network(20, between=(lambda: LAYERS.Activation(lambda x: ops.cumsum(x, axis=1)),)),
        any_length,
        branching,
        flat,
    ],
    ids=[
        "nine bases",
        "short",
        "strides",
        "over positions",
        "two poolings",
        "own",
        "any length",
        "branch",
        "one layer",
    ],
)
def test_networks_that_cannot_be_tabulated_are_left_alone(model):
    assert kmer_form(model()) is None


def test_a_table_that_is_too_large_is_not_made(monkeypatch):
    assert kmer_form(network(20)) is not None
    monkeypatch.setattr("degu.fused.kmers.MOST_BYTES", 1000)
    assert kmer_form(network(20)) is None
