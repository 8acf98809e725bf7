import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import absl.logging
import numpy as np
import pytest

from degu.data import synthetic

# absl takes the stream that pytest captures while it imports, and closes it when Hydra sets up logging in this process.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session")
def splits():
    """A simulated assay: 96 train, 40 valid, 40 test sequences of 40 bp with two targets."""
    return synthetic(num_train=96, num_valid=40, num_test=40, length=40)


@pytest.fixture
def conv_net():
    """Return a function that returns a function without arguments: a small convolutional network for 40 bp."""

    def architecture(num_outputs=2, *, norm=True, dropout=0.0, activation="linear", use_bias=True):
        import keras

        def build():
            inputs = keras.Input((40, 4))
            x = keras.layers.Conv1D(6, 5)(inputs)
            x = keras.layers.BatchNormalization()(x) if norm else x
            x = keras.layers.Activation("relu")(x)
            x = keras.layers.GlobalMaxPooling1D()(x)
            x = keras.layers.Dropout(dropout)(x) if dropout else x
            return keras.Model(inputs, keras.layers.Dense(num_outputs, activation, use_bias)(x))

        return build

    return architecture


@pytest.fixture
def shift():
    """A training function without training: it adds a number drawn from the seed to the last bias."""

    def train_fun(model, x_train, y_train, validation_data=None, seed=None, size=1.0):
        *rest, bias = model.get_weights()
        offset = size * np.random.default_rng(seed).normal(size=bias.shape)
        model.set_weights([*rest, bias + offset])
        return {"seed": seed}

    return train_fun


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """The output folder of a study of 40 bp sequences with two targets; to be read only."""
    from hydra import compose, initialize_config_dir

    from degu.config import config_dir
    from degu.pipeline import run
    from degu.tracking import NullTracker

    folder = tmp_path_factory.mktemp("finished") / "study"
    settings = [
        *("experiment=smoke", "tracking=none", "device=cpu", "ensemble.num_ensemble=2", "model.filters=[4]"),
        *("data.num_train=64", "data.num_valid=30", "data.num_test=200", "data.length=40", "model.dense=4"),
        *("trainer.max_epochs=1", "distill.trainer.max_epochs=1", "evaluation.shift=null"),
        *("evaluation.attribution=null", "evaluation.uncertainty.num_resamples=0"),
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("config", overrides=settings)
    run(config, NullTracker(), folder)
    return folder
