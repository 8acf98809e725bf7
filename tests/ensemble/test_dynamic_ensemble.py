"""Ensembles trained with augmentation."""

import evoaug_tf.augment as theirs
import keras
import numpy as np
import pytest

from degu import EnsemblerDynamic, utils
from degu.augment import RandomInsertion, RandomMutation, RandomNoise
from degu.errors import ConfigError, EnsembleError
from degu.train import train_one_cycle_fun

BRIEF = {"max_epochs": 1, "finetune_epochs": 0, "batch_size": 96}


def dense():
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


@pytest.fixture
def data(splits):
    return splits.train.tokens, splits.train.targets


@pytest.fixture
def x(splits):
    return splits.test.tokens


def test_augmentation_makes_the_difference(data, tmp_path, weights_of, equal):
    """Members with and without augmentation start alike, so only the augmentation can part them."""
    weights = []
    for name, augment_list in (("a", []), ("b", [RandomNoise()]), ("c", [RandomNoise()])):
        ensembler = EnsemblerDynamic(dense)
        ensembler.train(*data, 1, save_prefix=tmp_path / name, augment_list=augment_list, **BRIEF)
        weights.append(weights_of(ensembler)[0])
    plain, noisy, again = weights
    assert equal(noisy, again)
    assert not equal(plain, noisy)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomMutation(0.1),
        lambda: theirs.RandomMutation(0.1),
    ],
    ids=["degu", "evoaug_tf"],
)
def test_a_member_does_not_depend_on_the_members_before_it(data, tmp_path, weights_of, equal, make):
    together, apart = EnsemblerDynamic(dense), EnsemblerDynamic(dense)
    together.train(*data, 2, save_prefix=tmp_path / "a", augment_list=[make()], **BRIEF)
    for _ in range(2):
        apart.train(*data, 1, save_prefix=tmp_path / "b", augment_list=[make()], **BRIEF)
    (first, second), (first_alone, second_alone) = weights_of(together), weights_of(apart)
    assert equal(first, first_alone)
    assert equal(second, second_alone)
    assert not equal(first, second)


def test_members_are_reloaded_and_answer_without_augmentation(data, tmp_path, x):
    base = dense()
    before = base.get_weights()
    ensembler = EnsemblerDynamic(base, uncertainty_fun=utils.std)
    insertion = RandomInsertion(1, 5)
    histories = ensembler.train(
        *data, 2, validation_data=data, save_prefix=tmp_path / "m", augment_list=[insertion], standardize=True,
        max_epochs=1, finetune_epochs=1,
    )  # fmt: skip
    assert [history.history["stage"] for history in histories] == [[1, 2]] * 2
    members = ensembler.predict(x).members
    again = EnsemblerDynamic(dense, ensembler.weight_paths, utils.std)
    np.testing.assert_array_equal(again.predict(x).members, members)
    np.testing.assert_allclose(again.predict(x[:5], batch_size=2).members, members[:, :5], rtol=1e-5, atol=1e-5)
    for a, b in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_recipe_that_cannot_augment_is_refused_before_training(data, tmp_path):
    ensembler = EnsemblerDynamic(dense)
    with pytest.raises(ConfigError, match="train_one_cycle_fun has no argument 'augment_list'"):
        ensembler.train(*data, 2, train_one_cycle_fun, save_prefix=tmp_path / "m")
    with pytest.raises(ConfigError, match="no argument 'finetune_epoch'. Did you mean 'finetune_epochs'"):
        ensembler.train(*data, 2, save_prefix=tmp_path / "m", finetune_epoch=1)
    with pytest.raises(EnsembleError, match="Expected one architecture. Received: 2"):
        EnsemblerDynamic.of([dense, dense], utils.std)
    assert not list(tmp_path.iterdir())
