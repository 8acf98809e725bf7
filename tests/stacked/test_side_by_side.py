"""Members side by side end where each of them would end alone."""

import logging

import keras
import numpy as np
import pytest

from degu import EnsemblerBase, EnsemblerDynamic, EnsemblerMixed
from degu.augment import RandomDeletion, RandomMutation, RandomNoise
from degu.errors import EnsembleError
from degu.train import train_dynamic_aug_fun, train_one_cycle_fun, train_standard_fun

BRIEF = {"max_epochs": 4, "batch_size": 20, "seed": 5}


@pytest.fixture
def data(splits):
    return splits.train.tokens, splits.train.targets


@pytest.fixture
def valid(splits):
    return splits.valid.tokens, splits.valid.targets


def trained(tmp_path, engine, make, *args, **kwargs):
    ensembler = make()
    histories = ensembler.train(*args, save_prefix=tmp_path / engine / "m", engine=engine, **{**BRIEF, **kwargs})
    return histories, [model.get_weights() for model in ensembler.load_members()]


def largest_difference(one, other):
    return max(
        float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-6))
        for mine, theirs in zip(one, other, strict=True)
        for a, b in zip(mine, theirs, strict=True)
    )


def check_equal(tmp_path, make, *args, **kwargs):
    histories, weights = trained(tmp_path, "serial", make, *args, **kwargs)
    stacked_histories, stacked_weights = trained(tmp_path, "stacked", make, *args, **kwargs)
    assert largest_difference(weights, stacked_weights) < 1e-3
    for alone, together in zip(histories, stacked_histories, strict=True):
        assert alone.epoch == together.epoch
        assert alone.history.keys() == together.history.keys()
        for name, values in alone.history.items():
            np.testing.assert_allclose(values, together.history[name], rtol=1e-4)
    return stacked_histories, stacked_weights


def test_with_dropout_norm_plateau_schedule_and_early_stopping(tmp_path, conv_net, data, valid):
    schedule = {"es_patience": 2, "lr_patience": 1, "max_epochs": 12, "initial_lr": 0.05, "metrics": ["mae"]}
    make = lambda: EnsemblerBase(conv_net(dropout=0.3))  # noqa: E731
    histories, weights = check_equal(tmp_path, make, *data, 3, train_standard_fun, valid, standardize=True, **schedule)
    assert len({len(history.epoch) for history in histories}) > 1, "members are meant to stop at different epochs"
    assert histories[0].history["learning_rate"][-1] < 0.05
    assert {"loss", "mae", "val_loss", "val_mae"} <= histories[0].history.keys()
    assert largest_difference(weights[:1], weights[1:2]) > 0.01


def test_with_augmentation_in_two_stages(tmp_path, conv_net, data, valid):
    augment_list = [RandomDeletion(0, 5), RandomMutation(), RandomNoise()]
    stages = {"augment_list": augment_list, "finetune_epochs": 3, "es_patience": 1, "max_epochs": 6}
    make = lambda: EnsemblerDynamic(conv_net())  # noqa: E731
    histories, _ = check_equal(tmp_path, make, *data, 2, train_dynamic_aug_fun, valid, **stages)
    assert set(histories[0].history["stage"]) == {1, 2}


def test_a_step_is_traced_once_for_each_member_though_the_last_batch_is_shorter(
    tmp_path, conv_net, data, valid, monkeypatch
):
    assert len(data[0]) % BRIEF["batch_size"]
    traced = []
    plain_step = keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda self, x: traced.append(self) or plain_step(self, x))
    trained(tmp_path, "stacked", lambda: EnsemblerBase(conv_net()), *data, 2, train_standard_fun, valid)
    assert len(traced) == 2


def test_with_one_cycle(tmp_path, conv_net, data, valid):
    check_equal(tmp_path, lambda: EnsemblerBase(conv_net()), *data, 2, train_one_cycle_fun, valid)


def test_without_validation_with_weights_of_sequences_and_encoded_sequences(tmp_path, conv_net, data):
    tokens, targets = data
    encoded = np.eye(5, 4, dtype="float32")[tokens]
    weights = {"sample_weight": np.linspace(0, 2, len(tokens))}
    check_equal(tmp_path, lambda: EnsemblerBase(conv_net()), encoded, targets, 2, train_standard_fun, **weights)


class Penalised(keras.layers.Layer):
    """A layer of the user with a weight, a loss and a random stream of its own, unknown to every rewriting."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(3)

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=None):
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
        if training:
            self.seen.assign(self.seen + 1)
            x = x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)
        return x * self.scale


def of_all_sorts():
    inputs = keras.Input((40, 4))
    x = keras.layers.Conv1D(5, 5, kernel_regularizer="l2")(inputs)
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))(x)
    x = Penalised()(x)
    x = keras.layers.SpatialDropout1D(0.2)(x)
    x = keras.layers.MultiHeadAttention(2, 3, use_bias=False, dropout=0.1)(x, x)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def test_with_layers_of_all_sorts(tmp_path, data, valid):
    optimizer = {"optimizer": lambda learning_rate: keras.optimizers.AdamW(learning_rate, clipnorm=0.5, use_ema=True)}
    _, weights = check_equal(
        tmp_path, lambda: EnsemblerBase(of_all_sorts), *data, 2, train_standard_fun, valid, **optimizer
    )
    seen = [array for array in weights[0] if array.shape == () and array.dtype == np.float32]
    assert max(seen) > 0


def test_every_architecture_is_a_stack_of_its_own(tmp_path, conv_net, data, valid):
    make = lambda: EnsemblerMixed([conv_net(), conv_net(norm=False, activation="softplus")])  # noqa: E731
    check_equal(tmp_path, make, *data, 5, train_standard_fun, valid)


def test_a_callback_of_batches_is_served_one_after_the_other(tmp_path, conv_net, data, valid, caplog):
    class Counter(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            Counter.batches += 1

    with caplog.at_level(logging.INFO):
        check_equal(
            tmp_path, lambda: EnsemblerBase(conv_net()), *data, 2, train_standard_fun, valid, callbacks=[Counter()]
        )
    assert "Counter is called after every batch" in caplog.text
    assert Counter.batches == 2 * 2 * 5 * BRIEF["max_epochs"]


def test_callbacks_of_epochs_see_their_own_member(tmp_path, conv_net, data, valid):
    class Best(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.losses, self.weights, self.ended = [], [], 0

        def on_epoch_end(self, epoch, logs=None):
            self.losses.append(logs["val_loss"])
            self.weights.append(self.model.get_weights())
            x = np.eye(5, 4, dtype="float32")[valid[0]]
            mine = np.mean((self.model.predict(x, verbose=0) - valid[1]) ** 2)
            assert logs["val_loss"] == pytest.approx(mine, rel=1e-3)

        def on_train_end(self, logs=None):
            self.ended += 1

    import contextlib

    seen = []

    @contextlib.contextmanager
    def scope(index, seed):
        seen.append(Best())
        yield [seen[-1]]

    ensembler = EnsemblerBase(conv_net())
    ensembler.train(*data, 2, train_standard_fun, valid, tmp_path / "m", engine="stacked", scope=scope, **BRIEF)
    assert [len(one.losses) for one in seen] == [4, 4]
    assert [one.ended for one in seen] == [1, 1]
    assert seen[0].losses != seen[1].losses
    best = seen[0].weights[int(np.argmin(seen[0].losses))]
    assert largest_difference([ensembler.load_members()[0].get_weights()], [best]) < 1e-6


def test_a_function_without_fits_is_refused_by_a_stack_and_run_by_auto(tmp_path, conv_net, data, shift):
    with pytest.raises(EnsembleError, match="written in fits"):
        EnsemblerBase(conv_net()).train(*data, 2, shift, save_prefix=tmp_path / "a", engine="stacked")
    ensembler = EnsemblerBase(conv_net())
    assert len(ensembler.train(*data, 2, shift, save_prefix=tmp_path / "b", engine="auto")) == 2
    assert not list(tmp_path.glob("a*"))


def test_an_unknown_engine_is_refused(tmp_path, conv_net, data):
    with pytest.raises(EnsembleError, match="'fast'"):
        EnsemblerBase(conv_net()).train(*data, 2, train_standard_fun, save_prefix=tmp_path / "a", engine="fast")
