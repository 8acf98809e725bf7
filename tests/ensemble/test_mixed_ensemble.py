"""Ensembles of several architectures, beyond the bookkeeping that every ensemble shares."""

import functools

import keras
import numpy as np
import pytest

from degu import EnsemblerBase, EnsemblerMixed, utils
from degu.augment import RandomNoise
from degu.errors import ConfigError, EnsembleError
from degu.train import train_dynamic_aug_fun, train_standard_fun
from degu.train.batches import predict


def dense():
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


def bounded():
    """A network whose last layer cannot take in the targets' units."""
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2, "tanh")(keras.layers.Flatten()(inputs)))


@pytest.fixture
def data(splits):
    return splits.train.tokens, splits.train.targets


@pytest.fixture
def x(splits):
    return splits.test.tokens


def test_by_default_every_architecture_is_trained_once_by_the_standard_recipe(conv_net, data, tmp_path):
    ensembler = EnsemblerMixed([dense, conv_net()], uncertainty_fun=utils.std)
    histories = ensembler.train(*data, validation_data=data, save_prefix=tmp_path / "m", max_epochs=1)
    assert [set(history.history) for history in histories] == [{"loss", "val_loss", "learning_rate"}] * 2
    sizes = [len(network.get_weights()) for network in ensembler.load_members()]
    assert sizes == [2, 8]


def test_every_architecture_is_trained_by_its_own_recipe(conv_net, data, tmp_path):
    recipes = [
        functools.partial(train_standard_fun, max_epochs=1),
        functools.partial(train_dynamic_aug_fun, max_epochs=1, finetune_epochs=1, augment_list=[RandomNoise()]),
    ]
    ensembler = EnsemblerMixed([conv_net(), dense])
    histories = ensembler.train(*data, 2, recipes, data, tmp_path / "m", batch_size=96)
    assert [history.history.get("stage") for history in histories] == [None, [1, 2]]


def test_an_argument_that_one_recipe_lacks_is_refused_before_any_training(data, shift, tmp_path):
    ensembler = EnsemblerMixed([dense, dense])
    with pytest.raises(ConfigError, match="train_standard_fun has no argument 'size'"):
        ensembler.train(*data, 2, [shift, train_standard_fun], save_prefix=tmp_path / "m", size=2.0)
    assert not list(tmp_path.iterdir())


def test_files_in_the_order_of_other_architectures_are_refused(conv_net, data, shift, tmp_path, x):
    ensembler = EnsemblerMixed([dense, conv_net()])
    ensembler.train(*data, 2, shift, save_prefix=tmp_path / "m")
    turned = EnsemblerMixed([dense, conv_net()], ensembler.weight_paths[::-1])
    with pytest.raises(EnsembleError, match=r"m_1\.weights\.h5 to hold weights of model"):
        turned.predict(x)


def test_members_of_all_kinds_answer_in_the_targets_units_after_a_reload(data, shift, tmp_path, x):
    y = 100 + 10 * data[1]
    ensembler = EnsemblerMixed([dense, bounded])
    ensembler.train(data[0], y, 4, shift, save_prefix=tmp_path / "m", standardize=True, size=0.1)
    assert sorted(path.name for path in tmp_path.glob("*.units.json")) == ["m_1.units.json", "m_3.units.json"]
    members = ensembler.predict(x).members
    assert (np.abs(members.mean(axis=1) - y.mean(axis=0)) < 4 * y.std(axis=0)).all()
    assert (np.abs(members[1::2] - y.mean(axis=0)) <= y.std(axis=0) * 1.001).all()
    again = EnsemblerMixed([dense, bounded], ensembler.weight_paths)
    np.testing.assert_array_equal(again.predict(x).members, members)
    for network, expected in zip(again.load_members(), members, strict=True):
        np.testing.assert_allclose(predict(network, x), expected, rtol=1e-5, atol=1e-4)


def test_predictions_depend_on_neither_batches_nor_the_order_of_members(conv_net, data, shift, tmp_path, x):
    ensembler = EnsemblerMixed([dense, conv_net()], uncertainty_fun=utils.std)
    ensembler.train(*data, 2, shift, save_prefix=tmp_path / "m")
    whole = ensembler.predict(x)
    parts = EnsemblerMixed([dense, conv_net()], ensembler.weight_paths, utils.std).predict(x, batch_size=7)
    turned = EnsemblerMixed([conv_net(), dense], ensembler.weight_paths[::-1], utils.std).predict(x)
    np.testing.assert_array_equal(turned.members, whole.members[::-1])
    for other in (parts, turned):
        np.testing.assert_allclose(other.mean, whole.mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(other.epistemic, whole.epistemic, rtol=1e-4, atol=1e-5)


def test_one_architecture_is_an_ordinary_ensemble(data, shift, tmp_path, x):
    mixed, base = EnsemblerMixed([dense]), EnsemblerBase(dense)
    mixed.train(*data, 2, shift, save_prefix=tmp_path / "a")
    base.train(*data, 2, shift, save_prefix=tmp_path / "b")
    for ours, theirs in zip(mixed.predict(x)[:2], base.predict(x)[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_models_given_as_architectures_are_left_alone(conv_net, data, tmp_path):
    models = [dense(), conv_net()()]
    before = [network.get_weights() for network in models]
    ensembler = EnsemblerMixed(models)
    ensembler.train(*data, 3, train_standard_fun, data, tmp_path / "m", max_epochs=1)
    ensembler.predict(data[0])
    for network, weights in zip(models, before, strict=True):
        assert not network.compiled
        for a, b in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
