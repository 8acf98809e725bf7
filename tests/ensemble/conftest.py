import keras
import numpy as np
import pytest


def recurrent():
    inputs = keras.Input((40, 4))
    x = keras.layers.Bidirectional(keras.layers.LSTM(5))(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def gated():
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GRU(5)(inputs)))


def nested():
    inputs, inner = keras.Input((40, 4)), keras.Input((40, 4))
    trunk = keras.Model(inner, keras.layers.BatchNormalization()(keras.layers.Conv1D(6, 5)(inner)), name="trunk")
    tail = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.2)])
    return keras.Model(inputs, keras.layers.Dense(2)(tail(trunk(inputs))))


def sequential():
    layers = [keras.layers.Conv1D(6, 5), keras.layers.BatchNormalization(), keras.layers.GlobalMaxPooling1D()]
    return keras.Sequential([keras.Input((40, 4)), *layers, keras.layers.Dense(2)])


@pytest.fixture
def architectures(conv_net):
    return {
        "conv": conv_net(),
        "recurrent": recurrent,
        "gated": gated,
        "nested": nested,
        "sequential": sequential,
    }


@pytest.fixture
def weights_of():
    """Return a function that reads the trained weights of every member: one flat vector a weight and member."""

    def read(ensembler):
        return [model.get_weights() for model in ensembler.load_members()]

    return read


@pytest.fixture
def equal():
    def compare(first, second):
        return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

    return compare
