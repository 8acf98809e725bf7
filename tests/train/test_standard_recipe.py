import random

import keras
import numpy as np
import pytest

from degu.losses import MaskedMSE
from degu.train import Batches, train_standard_fun
from degu.train.batches import encode

RNG = np.random.default_rng(0)
X = RNG.integers(0, 4, (96, 40), dtype=np.uint8)
Y = np.stack([(X == 2).mean(axis=1), (X == 1).mean(axis=1)], axis=1) * 4
X_VALID = RNG.integers(0, 4, (700, 40), dtype=np.uint8)
Y_VALID = np.stack([(X_VALID == 2).mean(axis=1), (X_VALID == 1).mean(axis=1)], axis=1) * 4


@pytest.fixture
def checkpoints(tmp_path):
    """A callback that keeps the weights of every epoch, and a function that puts those of one into a model."""

    def load(model, epoch):
        model.load_weights(tmp_path / f"{epoch + 1}.weights.h5")

    return keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True), load


def answer(model, x):
    return keras.ops.convert_to_numpy(model(encode(x), training=False)).astype(np.float64)


def linear(seed=0, scale=1.0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs * scale)))


def fit(model, **changes):
    arguments = {"validation_data": (X_VALID[:40], Y_VALID[:40]), "max_epochs": 2, "batch_size": 40, "seed": 3}
    return train_standard_fun(model, X, Y, **{**arguments, **changes})


@pytest.mark.parametrize("loss", ["mse", MaskedMSE()], ids=["mse", "masked"])
def test_logged_validation_loss_is_the_error_of_the_weights_of_that_epoch(conv_net, checkpoints, loss):
    callback, load = checkpoints
    model = conv_net(dropout=0.4)()
    # 700 rows leave a last batch of 188
    history = fit(model, validation_data=(X_VALID, Y_VALID), max_epochs=4, loss=loss, callbacks=[callback]).history
    errors = []
    for epoch in range(4):
        load(model, epoch)
        errors.append(np.mean((answer(model, X_VALID) - Y_VALID) ** 2))
    np.testing.assert_allclose(history["val_loss"], errors, rtol=1e-5)
    assert len(set(history["val_loss"])) == 4


def test_logged_training_loss_is_the_error_before_the_step(checkpoints):
    callback, load = checkpoints
    model = linear()
    errors = [np.mean((answer(model, X) - Y) ** 2)]
    history = fit(model, batch_size=96, max_epochs=4, initial_lr=0.01, callbacks=[callback]).history
    for epoch in range(3):
        load(model, epoch)
        errors.append(np.mean((answer(model, X) - Y) ** 2))
    np.testing.assert_allclose(history["loss"], errors, rtol=1e-5)
    assert errors[3] < errors[0]


@pytest.mark.parametrize("es_patience", [2, 100], ids=["stopped early", "ran to the last epoch"])
def test_model_ends_with_the_best_epoch(checkpoints, es_patience):
    callback, load = checkpoints
    model = linear()
    opposite = (X_VALID[:40], -Y_VALID[:40])
    history = fit(
        model, validation_data=opposite, max_epochs=8, es_patience=es_patience, initial_lr=0.05, callbacks=[callback]
    ).history
    assert (len(history["val_loss"]) == 8) is (es_patience == 100)
    best = int(np.argmin(history["val_loss"]))
    assert best < len(history["val_loss"]) - 1
    kept = model.get_weights()
    load(model, best)
    for a, b in zip(kept, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_learning_rate_falls_on_a_plateau_and_training_uses_it():
    class Rates(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_train_batch_begin(self, batch, logs=None):
            self.seen.append(float(self.model.optimizer.learning_rate))

    rates, opposite = Rates(), (X_VALID[:40], -Y_VALID[:40])
    history = fit(
        linear(),
        batch_size=96,
        validation_data=opposite,
        max_epochs=6,
        initial_lr=0.08,
        lr_patience=1,
        lr_decay=0.5,
        min_lr=0.015,
        callbacks=[rates],
    ).history
    worse = int(np.argmin(history["val_loss"])) + 1
    expected = [0.08] * (worse + 1) + [0.04, 0.02, 0.015, 0.015]
    assert rates.seen == pytest.approx(expected[:6], rel=1e-6)
    assert history["learning_rate"] == pytest.approx(expected[:6], rel=1e-6)


def test_without_validation_data_the_training_loss_is_watched_and_said(caplog):
    history = fit(linear(), validation_data=None, max_epochs=1).history
    assert set(history) == {"loss", "learning_rate"}
    assert "follow the training loss" in caplog.text


def test_sequences_of_weight_zero_do_not_matter():
    weights = np.ones(96)
    weights[::3] = 0
    results = []
    for wrong in (0.0, 1e6):
        y = Y.copy()
        y[::3] = wrong
        model = linear()
        train_standard_fun(model, X, y, (X_VALID[:9], Y_VALID[:9]), max_epochs=2, sample_weight=weights, seed=0)
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_sample_weights_change_the_gradient():
    results = []
    for weight in (np.ones(96), np.linspace(0, 2, 96)):
        model = linear()
        fit(model, sample_weight=weight)
        results.append(model.get_weights()[0])
    assert np.abs(results[0] - results[1]).max() > 1e-5


def test_seed_decides_the_order_of_the_data():
    def trained(**changes):
        model = linear()
        fit(model, **changes)
        return model.get_weights()[0]

    np.testing.assert_array_equal(trained(seed=0), trained(seed=0))
    assert np.abs(trained(seed=0) - trained(seed=1)).max() > 0
    random.seed(4)
    drawn = trained(seed=None)
    random.seed(4)
    np.testing.assert_array_equal(trained(seed=None), drawn)


def test_every_epoch_has_its_own_order(monkeypatch):
    taken = []

    original = Batches.__getitem__

    def recorded(self, index):
        taken.append((self.epoch, self._order))
        return original(self, index)

    monkeypatch.setattr(Batches, "__getitem__", recorded)
    fit(linear(), max_epochs=3, batch_size=96, validation_data=None)
    orders = dict(taken)
    assert {0, 1, 2} <= set(orders)
    for epoch in range(3):
        np.testing.assert_array_equal(orders[epoch], np.random.default_rng((3, epoch)).permutation(96))


def test_optimizer_and_metrics_are_the_ones_asked_for():
    model = linear()
    history = fit(model, optimizer=keras.optimizers.SGD, metrics=["mae"], initial_lr=0.25, max_epochs=1).history
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert float(model.optimizer.learning_rate) == 0.25
    assert {"mae", "val_mae"} <= set(history)
