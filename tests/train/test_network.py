import json
import logging

import keras
import numpy as np
import pytest

from degu.data import TargetScaler
from degu.train.batches import predict
from degu.train.callbacks import EpochProgress
from degu.train.network import Recipe, TrainingSet, read_units, train_network, units_path


@pytest.fixture
def data(splits):
    return TrainingSet(splits.train.tokens, splits.train.targets, (splits.valid.tokens, splits.valid.targets))


def recorder(seen):
    def train_fun(model, x_train, y_train, validation_data, seed, callbacks):
        seen.update(x=x_train, y=y_train, valid=validation_data, seed=seed, callbacks=callbacks)
        return "history"

    return train_fun


def test_standardised_targets_by_the_training_split_alone(data, conv_net, tmp_path):
    seen = {}
    recipe = Recipe(recorder(seen), standardize=True, callbacks=["mine"])
    history, units = train_network("member 1/2", conv_net()(), 7, recipe, data, tmp_path / "m.weights.h5")
    assert (history, units, seen["seed"]) == ("history", None, 7)
    np.testing.assert_allclose(seen["y"].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(seen["y"].std(axis=0), 1, rtol=1e-6)
    scaler = TargetScaler.fit(data.y)
    np.testing.assert_allclose(scaler.inverse(seen["valid"][1]), data.validation[1], atol=1e-6)
    assert isinstance(seen["callbacks"][0], EpochProgress)
    assert seen["callbacks"][1:] == ["mine"]


def test_targets_are_passed_as_they_are_otherwise(data, conv_net, tmp_path):
    seen = {}
    train_network("m", conv_net()(), 7, Recipe(recorder(seen)), data, tmp_path / "m.weights.h5")
    assert seen["y"] is data.y
    assert seen["valid"][1] is data.validation[1]


def test_units_are_folded_or_kept_beside_the_weights(data, conv_net, tmp_path):
    scaler, path = TargetScaler.fit(data.y), tmp_path / "m_0.weights.h5"
    recipe = Recipe(recorder({}), standardize=True)
    model = conv_net()()
    before = predict(model, data.x)
    _, units = train_network("m", model, 0, recipe, data, path)
    np.testing.assert_allclose(predict(model, data.x), scaler.inverse(before), rtol=1e-4, atol=1e-5)
    assert units is read_units(path) is None

    model = conv_net(activation="tanh")()
    before = predict(model, data.x)
    _, units = train_network("m", model, 0, recipe, data, path)
    np.testing.assert_array_equal(predict(model, data.x), before)
    assert read_units(path).to_dict() == units.to_dict() == scaler.to_dict()
    assert json.loads((tmp_path / "m_0.units.json").read_text()) == scaler.to_dict()


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m"])
def test_units_have_one_name_for_every_name_of_weights(tmp_path, name):
    assert units_path(tmp_path / name) == tmp_path / "m.units.json"


def test_new_weights_do_not_inherit_the_units_of_old_ones(data, conv_net, tmp_path):
    path = tmp_path / "m_0.weights.h5"
    for standardize in (True, False):
        recipe = Recipe(recorder({}), standardize=standardize)
        train_network("m", conv_net(activation="tanh")(), 0, recipe, data, path)
    assert read_units(path) is None


def test_progress_is_one_line_an_epoch_in_a_file(caplog):
    caplog.set_level(logging.INFO, "degu.progress")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    model.fit(np.zeros((4, 2)), np.zeros(4), epochs=2, verbose=0, callbacks=[EpochProgress("member 1/5", "loss")])
    model.fit(
        np.zeros((4, 2)), np.zeros(4), initial_epoch=2, epochs=3, verbose=0, callbacks=[EpochProgress("later", "loss")]
    )
    ours = [record for record in caplog.records if record.name == "degu.progress"]
    assert [record.getMessage() for record in ours] == [
        "member 1/5: epoch 1/2 loss=0.0000",
        "member 1/5: epoch 2/2 loss=0.0000",
        "later: epoch 3/3 loss=0.0000",
    ]
