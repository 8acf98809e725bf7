from __future__ import annotations

import keras
import numpy as np
import pytest

from degu.tracking import NullTracker, TrackingCallback

# Keras' own LearningRateScheduler reads the rate this way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class Recorder(NullTracker):
    def __init__(self):
        self.calls = []

    def metrics(self, values, step=None):
        self.calls.append((step, values))


@pytest.fixture(scope="module")
def fitted():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), loss="mse", metrics=["mae"])
    x = np.ones((4, 3), "float32")
    recorder, prefixed = Recorder(), Recorder()
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 / 2**epoch)
    history = model.fit(
        x,
        x[:, :1],
        epochs=3,
        validation_data=(x, x[:, :1]),
        callbacks=[halve, TrackingCallback(recorder), TrackingCallback(prefixed, prefix="finetune")],
        verbose=0,
    )
    return recorder.calls, prefixed.calls, history.history


def test_one_call_an_epoch_counted_from_zero(fitted):
    calls, _, _ = fitted
    assert [step for step, _ in calls] == [0, 1, 2]


def test_values_are_those_of_the_history_under_family_names(fitted):
    calls, _, history = fitted
    names = {"train/loss": "loss", "train/mae": "mae", "valid/loss": "val_loss", "valid/mae": "val_mae"}
    assert set(calls[0][1]) == {*names, "learning_rate", "seconds_per_epoch"}
    for name, key in names.items():
        assert [values[name] for _, values in calls] == history[key]


def test_learning_rate_is_the_one_that_was_used(fitted):
    calls, _, _ = fitted
    assert [values["learning_rate"] for _, values in calls] == [0.5, 0.25, 0.125]


def test_learning_rate_of_a_plain_optimizer():
    recorder = Recorder()
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.25), loss="mse")
    model.fit(np.ones((2, 1)), np.ones((2, 1)), callbacks=[TrackingCallback(recorder)], verbose=0)
    assert recorder.calls[0][1]["learning_rate"] == 0.25


def test_time_of_an_epoch_is_positive(fitted):
    calls, _, _ = fitted
    assert all(0 < values["seconds_per_epoch"] < 60 for _, values in calls)


def test_prefix_goes_before_every_name(fitted):
    calls, prefixed, _ = fitted
    assert set(prefixed[0][1]) == {f"finetune/{name}" for name in calls[0][1]}
