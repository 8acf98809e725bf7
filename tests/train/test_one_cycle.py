import itertools

import keras
import numpy as np
import pytest

from degu.errors import ConfigError
from degu.train import OneCycle, train_one_cycle_fun


class Rates(keras.callbacks.Callback):
    """Notes the learning rate that every step is about to use."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


class Weights(keras.callbacks.Callback):
    """Keeps the weights at the end of every epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append([value.copy() for value in self.model.get_weights()])


@pytest.fixture
def data(splits):
    return splits.train.tokens, splits.train.targets


@pytest.fixture
def valid(splits):
    return splits.valid.tokens, splits.valid.targets


def linear():
    initial = keras.initializers.GlorotUniform(seed=0)
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=initial)(keras.layers.Flatten()(inputs)))


def rates(schedule, steps):
    return keras.ops.convert_to_numpy(schedule(np.array(steps)))


def closed_form(max_lr, total_steps, warmup, start_divisor, end_divisor):
    """The cosine between two values, in degrees of the half turn that each part of the cycle is."""
    first, last = max_lr / start_divisor, max_lr / start_divisor / end_divisor
    top = warmup * (total_steps - 1)
    for step in range(total_steps):
        if step < top:
            angle, low, high = 180 * (1 - step / top), first, max_lr
        else:
            angle, low, high = 180 * (step - top) / (total_steps - 1 - top), last, max_lr
        yield low + (high - low) * (1 + np.cos(np.radians(angle))) / 2


def test_start_peak_and_end():
    schedule = OneCycle(0.5, 101, warmup=0.3, start_divisor=25, end_divisor=1e4)
    np.testing.assert_allclose(rates(schedule, [0, 15, 30, 65, 100]), [0.02, 0.26, 0.5, 0.250001, 2e-6], rtol=1e-4)
    assert rates(schedule, range(101)).argmax() == 30


def test_it_rises_once_and_falls_once_and_then_stays():
    drawn = rates(OneCycle(0.1, 50, warmup=0.4), range(60))
    assert (np.diff(drawn[:20]) > 0).all()
    assert (np.diff(drawn[20:50]) < 0).all()
    np.testing.assert_array_equal(drawn[50:], drawn[49])


def test_closed_form():
    for arguments in itertools.product([0.005, 2.0], [2, 7, 100], [0.05, 0.3, 0.9], [1.0, 25.0], [1.0, 1e4]):
        drawn = rates(OneCycle(*arguments), range(arguments[1]))
        np.testing.assert_allclose(drawn, list(closed_form(*arguments)), rtol=1e-4, atol=1e-7, err_msg=str(arguments))


def test_round_trip():
    schedule = OneCycle(0.02, 30, warmup=0.2, start_divisor=10.0, end_divisor=100.0)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert isinstance(copy, OneCycle)
    assert copy.get_config() == schedule.get_config()
    np.testing.assert_array_equal(rates(copy, range(30)), rates(schedule, range(30)))


@pytest.mark.parametrize(
    "wrong",
    [{"max_lr": 0.0}, {"max_lr": float("nan")}, {"total_steps": 1}, {"warmup": 0.0}, {"warmup": 1.0}]
    + [{"start_divisor": 0.5}, {"end_divisor": 0.5}],
)
def test_arguments_out_of_range_are_refused_by_name(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=rf"OneCycle: expected .*Received: .*{name}={value}"):
        OneCycle(**{"max_lr": 0.1, "total_steps": 10, **wrong})


def test_training_follows_the_schedule_and_logs_it(data, valid):
    watch, model = Rates(), linear()
    history = train_one_cycle_fun(
        model, *data, valid, max_epochs=4, batch_size=40, max_lr=0.3, warmup=0.25, callbacks=[watch]
    ).history
    schedule = OneCycle(0.3, 12, warmup=0.25)
    np.testing.assert_allclose(watch.seen, rates(schedule, range(12)), rtol=1e-6)
    np.testing.assert_allclose(history["learning_rate"], rates(schedule, [3, 6, 9, 12]), rtol=1e-6)
    assert isinstance(model.optimizer, keras.optimizers.AdamW)


def test_all_epochs_run_and_the_best_one_is_kept(data):
    x = data[0]
    watch, model = Weights(), linear()
    # training moves all answers from 0 to 100, past the 20 that validation wants
    history = train_one_cycle_fun(
        model, x, np.full((96, 2), 100.0), (x, np.full((96, 2), 20.0)), max_epochs=12, max_lr=0.2, callbacks=[watch]
    ).history
    errors = history["val_loss"]
    best = int(np.argmin(errors))
    assert len(errors) == 12
    assert 0 < best < 9
    for kept, seen in zip(model.get_weights(), watch.seen[best], strict=True):
        np.testing.assert_array_equal(kept, seen)


def test_without_validation_data_the_training_loss_decides(data, caplog):
    history = train_one_cycle_fun(linear(), *data, max_epochs=2).history
    assert set(history) == {"loss", "learning_rate"}
    assert "follow the training loss" in caplog.text


def test_weight_decay_is_decoupled_from_the_gradient(data, valid):
    model = linear()
    kernel = model.get_weights()[0]
    train_one_cycle_fun(
        model, *data, None, max_epochs=3, batch_size=48, max_lr=0.5, weight_decay=0.2, sample_weight=np.zeros(96)
    )
    # early stopping puts back the first epoch, as no epoch improves on its loss of zero
    expected = kernel * np.prod(1 - 0.2 * rates(OneCycle(0.5, 6), range(2)))
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)
    assert np.abs(model.get_weights()[0] - kernel).max() > 0


def test_the_optimizer_is_the_one_asked_for(data, valid):
    model = linear()
    train_one_cycle_fun(model, *data, valid, max_epochs=2, optimizer=keras.optimizers.SGD, weight_decay=0.03)
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert model.optimizer.weight_decay == 0.03


def test_seed_decides_and_a_later_stage_counts_on(data, valid):
    def trained(seed):
        model = linear()
        history = train_one_cycle_fun(model, *data, valid, max_epochs=2, batch_size=32, seed=seed, initial_epoch=5)
        return model.get_weights()[0], history.epoch

    first, epochs = trained(0)
    assert epochs == [5, 6]
    np.testing.assert_array_equal(trained(0)[0], first)
    assert np.abs(trained(1)[0] - first).max() > 0


def test_a_saved_model_keeps_its_schedule(data, valid, tmp_path):
    model = linear()
    train_one_cycle_fun(model, *data, valid, max_epochs=3, batch_size=48, warmup=0.6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = rates(OneCycle(0.005, 6, warmup=0.6), range(6))
    np.testing.assert_array_equal(rates(loaded.optimizer._learning_rate, range(6)), expected)
