"""`train_dynamic_aug_fun`: two stages in one history, and what may differ between them."""

import evoaug_tf.augment as theirs
import keras
import numpy as np
import pytest

from degu.augment import (
    Augmentation,
    RandomDeletion,
    RandomMutation,
    RandomNoise,
    RandomReverseComplement,
    RandomSubset,
)
from degu.data.encoding import one_hot
from degu.errors import ConfigError, DataError
from degu.seeds import seeded
from degu.train import train_dynamic_aug_fun
from degu.train.dynamic import joined


class Aside:
    """Keeps a variable out of Keras' sight; early stopping would put it back to its value at the best epoch."""

    def __init__(self, value):
        self.value = value


class Counting(Augmentation):
    """Changes nothing and counts the batches that it was given."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.count = Aside(keras.Variable(0, dtype="int32", trainable=False))

    def transform(self, x, seed):
        self.count.value.assign_add(1)
        return x

    @property
    def batches(self):
        return int(self.count.value)


class Watch(keras.callbacks.Callback):
    """Notes what a function of the trained model returns, at the end of every epoch and the start of every stage."""

    def __init__(self, look=lambda model: None):
        super().__init__()
        self.look = look
        self.epochs, self.seen, self.starts = [], [], []

    def on_train_begin(self, logs=None):
        self.starts.append(self.look(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.seen.append(self.look(self.model))


@pytest.fixture
def x(splits):
    return splits.train.tokens


@pytest.fixture
def y(splits):
    return splits.train.targets


@pytest.fixture
def valid(splits):
    return splits.valid.tokens, splits.valid.targets


def linear(dropout=0.0):
    initial = keras.initializers.GlorotUniform(seed=0)
    inputs = keras.Input((40, 4))
    hidden = keras.layers.Dropout(dropout)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=initial)(hidden))


def fit(model, x, y, valid, augment_list=(), **changes):
    arguments = {"max_epochs": 2, "finetune_epochs": 1, "batch_size": 96, "seed": 0}
    return train_dynamic_aug_fun(model, x, y, valid, augment_list, **{**arguments, **changes})


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def differ(first, second):
    return any(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_one_history_of_both_stages(x, y, valid):
    watch, callbacks = Watch(), []
    callbacks.append(watch)
    history = fit(linear(), x, y, valid, [RandomNoise()], max_epochs=3, finetune_epochs=2, callbacks=callbacks)
    assert set(history.history) == {"loss", "val_loss", "learning_rate", "stage"}
    assert history.history["stage"] == [1, 1, 1, 2, 2]
    assert {len(values) for values in history.history.values()} == {5}
    assert history.epoch == watch.epochs == [0, 1, 2, 3, 4]
    assert callbacks == [watch]


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_every_batch_of_the_first_stage_is_augmented_and_nothing_else(x, y, valid, steps_per_execution):
    counting = Counting()
    watch = Watch(lambda model: counting.batches)
    fit(
        linear(),
        *(x, y, valid, [counting]),
        batch_size=20,
        finetune_epochs=2,
        callbacks=[watch],
        steps_per_execution=steps_per_execution,
    )
    assert watch.seen == [5, 10, 10, 10]


def test_each_stage_has_a_learning_rate_and_patience_of_its_own(x):
    watch = Watch(lambda model: float(model.optimizer.learning_rate))
    history = fit(
        linear(),
        *(x, np.full((96, 2), 100.0), (x, np.full((96, 2), -100.0))),
        **{"initial_lr": 0.08, "lr_patience": 1, "es_patience": 3, "max_epochs": 50},
        **{"finetune_lr": 0.05, "finetune_lr_patience": 2, "finetune_es_patience": 4, "finetune_epochs": 50},
        **{"lr_decay": 0.5, "min_lr": 0.02, "callbacks": [watch]},
    ).history
    assert (np.diff(history["val_loss"])[[0, 1, 2, 4, 5, 6, 7]] > 0).all()
    assert history["stage"] == [1] * 4 + [2] * 5
    expected = [0.08, 0.08, 0.04, 0.02] + [0.05, 0.05, 0.05, 0.025, 0.025]
    assert history["learning_rate"] == pytest.approx(expected, rel=1e-6)
    assert watch.starts == pytest.approx([0.08, 0.05], rel=1e-6)


def test_every_stage_ends_with_its_best_epoch(x):
    watch = Watch(lambda model: [value.copy() for value in model.get_weights()])
    model = linear()
    history = fit(
        model,
        *(x, np.full((96, 2), 100.0), (x, np.full((96, 2), 20.0))),
        **{"initial_lr": 0.2, "es_patience": 2, "max_epochs": 9},
        **{"finetune_lr": 0.2, "finetune_es_patience": 2, "finetune_epochs": 9},
        callbacks=[watch],
    ).history
    errors, length = history["val_loss"], history["stage"].count(1)
    best = [int(np.argmin(errors[:length])), length + int(np.argmin(errors[length:]))]
    assert [best[0] + 3, best[1] + 3] == [length, len(errors)]
    assert best[0] > 0
    assert_same(watch.starts[1], watch.seen[best[0]])
    assert_same(model.get_weights(), watch.seen[best[1]])


def test_the_second_stage_can_be_left_out(x, y, valid):
    counting = Counting()
    history = fit(linear(), x, y, valid, [counting], finetune_epochs=0)
    assert history.history["stage"] == [1, 1]
    assert counting.batches == 2


def test_the_first_stage_can_be_left_out(x, y, valid):
    counting = Counting()
    history = fit(linear(), x, y, valid, [counting], max_epochs=0, finetune_epochs=2)
    assert history.history["stage"] == [2, 2]
    assert np.isfinite(history.history["val_loss"]).all()
    assert counting.batches == 0


def test_without_validation_data_both_stages_watch_the_training_loss(x, y, caplog):
    history = fit(linear(), x, y, None, [RandomNoise()])
    assert set(history.history) == {"loss", "learning_rate", "stage"}
    assert caplog.text.count("follow the training loss") == 2


@pytest.mark.parametrize("augmentation", [RandomDeletion(0, 8), theirs.RandomDeletion(0, 8)], ids=["degu", "evoaug_tf"])
def test_same_seed_same_bits(x, y, valid, augmentation):
    def trained(seed):
        with seeded(seed):
            model = linear(dropout=0.2)
            history = fit(model, x, y, valid, [augmentation], batch_size=48, seed=seed)
        return model.get_weights(), history.history

    first, again = trained(0), trained(0)
    assert_same(first[0], again[0])
    assert first[1] == again[1]
    assert differ(first[0], trained(1)[0])


def test_the_seed_alone_decides_data_order_and_augmentation(x, y, valid):
    weights = []
    for state in (0, 1):
        model = linear()
        keras.utils.set_random_seed(state)
        fit(model, x, y, valid, [RandomMutation(0.1)], batch_size=48, seed=0, finetune_epochs=0)
        weights.append(model.get_weights())
    assert_same(*weights)


def test_objects_of_evoaug_tf_act_as_ours(x, y, valid):
    weights = {}
    for name, augment_list in {
        "none": [],
        "ours": [RandomReverseComplement(1.0)],
        "theirs": [theirs.RandomRC(1.0)],
    }.items():
        model = linear()
        fit(model, x, y, valid, augment_list, initial_lr=0.05, finetune_epochs=0)
        weights[name] = model.get_weights()
    assert_same(weights["ours"], weights["theirs"])
    assert differ(weights["ours"], weights["none"])


def test_the_choice_among_augmentations_is_the_one_asked_for(x, y, valid):
    subsets = Watch(lambda model: [layer for layer in model.layers if isinstance(layer, RandomSubset)])
    asked = {"max_augs_per_seq": 3, "hard_aug": False, "per": "batch"}
    augment_list = (RandomMutation(), RandomNoise(), RandomNoise(), RandomNoise())
    fit(linear(), x, y, valid, augment_list, **asked, callbacks=[subsets], max_epochs=1, finetune_epochs=0)
    ((subset,),) = subsets.starts
    assert (subset.max_augs_per_seq, subset.hard, subset.per, len(subset.augmentations)) == (3, False, "batch", 4)


def test_tokens_and_encoded_sequences_train_alike(x, y, valid):
    weights = []
    for encode in (lambda tokens: tokens, one_hot):
        model = linear()
        fit(model, encode(x), y, (encode(valid[0]), valid[1]), [RandomMutation(0.1)], finetune_epochs=0)
        weights.append(model.get_weights())
    assert_same(*weights)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(2)

    def call(self, x):
        return self.dense(self.flat(x))


def any_length():
    inputs = keras.Input((None, 4))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(inputs)))


@pytest.mark.parametrize(
    "build",
    [lambda: keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)]), Subclassed, any_length],
    ids=["sequential without an input", "subclassed", "any length"],
)
def test_every_model_that_the_standard_recipe_trains(x, y, valid, build):
    counting = Counting()
    history = fit(build(), x, y, valid, [counting], max_epochs=1)
    assert history.history["stage"] == [1, 2]
    assert counting.batches == 1


def test_unusable_augmentations_are_refused_before_training(x, y, valid):
    watch = Watch()
    for augment_list, error, message in (
        (["mutation"], ConfigError, "degu.augment.Augmentation or an object of evoaug_tf"),
        ([RandomDeletion(0, 41)], DataError, "at least 41 bases, received 40"),
        ([RandomNoise(seed=1)], ConfigError, "without a seed of their own"),
    ):
        with pytest.raises(error, match=message):
            fit(linear(), x, y, valid, augment_list, callbacks=[watch])
    assert watch.starts == []


def test_what_one_stage_alone_logs_is_nan_in_the_other():
    stages = []
    for start, logged in enumerate(({"loss": [1.0], "mae": [2.0]}, {"loss": [3.0], "val_loss": [4.0]})):
        history = keras.callbacks.History()
        history.epoch, history.history = [start], logged
        stages.append(history)
    merged = joined(stages)
    assert merged.epoch == [0, 1]
    assert merged.history["loss"] == [1.0, 3.0]
    np.testing.assert_array_equal(merged.history["mae"], [2.0, np.nan])
    np.testing.assert_array_equal(merged.history["val_loss"], [np.nan, 4.0])
    assert merged.history["stage"] == [1, 2]
