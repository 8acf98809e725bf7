import numpy as np
import pytest

LENGTH = 12


@pytest.fixture
def linear():
    """Return a function that returns a linear network of 12 bp with the given weights (12, 4, K) and no bias."""
    import keras

    def build(weights, head=None):
        weights = np.asarray(weights, dtype=np.float32)
        inputs = keras.Input((LENGTH, 4))
        layer = keras.layers.Dense(weights.shape[-1])
        outputs = layer(keras.layers.Flatten()(inputs))
        network = keras.Model(inputs, outputs if head is None else head(outputs))
        layer.set_weights([weights.reshape(LENGTH * 4, -1), np.zeros(weights.shape[-1])])
        return network

    return build


@pytest.fixture
def smooth():
    """Return a function that returns a small network of 12 bp without kinks."""
    import keras

    def build(seed=0, columns=2):
        inputs = keras.Input((LENGTH, 4))
        x = keras.ops.mean(keras.layers.Conv1D(5, 3, activation="tanh")(inputs), axis=1)
        network = keras.Model(inputs, keras.layers.Dense(columns)(x))
        generator = np.random.default_rng(seed)
        network.set_weights([generator.normal(scale=0.7, size=weight.shape) for weight in network.get_weights()])
        return network

    return build


@pytest.fixture
def tokens():
    """Five sequences of 12 bp, an N in the last."""
    drawn = np.random.default_rng(0).integers(0, 4, (5, LENGTH), dtype=np.uint8)
    drawn[4, 3] = 4
    return drawn


@pytest.fixture
def weights():
    """Return a function that draws weights (12, 4, K)."""
    return lambda seed=0, columns=2: np.random.default_rng(seed).normal(size=(LENGTH, 4, columns)).astype(np.float32)
