import keras
import numpy as np
import pytest
from keras import ops

from degu import augment
from degu.augment.seeds import SeedStream
from degu.errors import ConfigError


@keras.saving.register_keras_serializable(package="degu_tests")
class AddPower(augment.Augmentation):
    """Adds 10**power to every entry, so that the sum tells which ones of a list acted."""

    def __init__(self, power=0, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def transform(self, x, seed):
        return x + 10**self.power

    def get_config(self):
        return {**super().get_config(), "power": self.power}


def acted(subset, rows=600):
    """Return a boolean array (rows, 4): which of four augmentations acted on each sequence."""
    values = ops.convert_to_numpy(subset(np.zeros((rows, 3, 4), "float32"), training=True))
    assert (values == values[:, :1, :1]).all()
    return (values[:, 0, 0][:, None] // 10 ** np.arange(4) % 10).astype(bool)


def four(**kwargs):
    return augment.RandomSubset([AddPower(power) for power in range(4)], **kwargs)


def test_hard_applies_exactly_the_largest_number():
    mask = acted(four(max_augs_per_seq=2, seed=0))
    assert (mask.sum(axis=1) == 2).all()
    _, counts = np.unique(mask, axis=0, return_counts=True)
    assert len(counts) == 6
    np.testing.assert_allclose(counts / 600, 1 / 6, atol=0.06)


def test_soft_applies_one_up_to_the_largest_number():
    sizes = acted(four(max_augs_per_seq=3, hard=False, seed=0)).sum(axis=1)
    np.testing.assert_allclose(np.bincount(sizes)[1:] / 600, 1 / 3, atol=0.06)
    assert sizes.min() == 1
    assert sizes.max() == 3


def test_no_more_than_the_list_holds():
    assert acted(four(max_augs_per_seq=9, seed=0)).all()


@pytest.mark.parametrize("hard", [True, False])
def test_one_subset_for_a_batch(hard):
    subset = four(max_augs_per_seq=2, hard=hard, per="batch", seed=0)
    drawn = [acted(subset, rows=5) for _ in range(60)]
    assert all((mask == mask[0]).all() for mask in drawn)
    distinct, sizes = {tuple(mask[0]) for mask in drawn}, {mask[0].sum() for mask in drawn}
    assert sizes == ({2} if hard else {1, 2})
    assert len(distinct) == (6 if hard else 10)


def test_list_order_is_kept():
    reverse, mutate = augment.RandomReverseComplement(1.0), augment.RandomInsertion(2, 2, keep_length=False)
    x = np.eye(4, dtype="float32")[np.zeros((50, 6), int)]
    output = ops.convert_to_numpy(augment.RandomSubset([mutate, reverse], seed=0)(x, training=True))
    assert output[:, 2:6].argmax(axis=-1).mean() > 1.5  # A became T after the insertion


def test_empty_list_changes_nothing(batch):
    subset = augment.RandomSubset([], seed=0)
    np.testing.assert_array_equal(subset(batch, training=True), batch)


def test_subsets_nest(batch):
    inner = augment.RandomSubset([AddPower(0), AddPower(1)], max_augs_per_seq=1)
    outer = augment.RandomSubset([inner, AddPower(2)], max_augs_per_seq=2, seed=0)
    values = ops.convert_to_numpy(outer(np.zeros((200, 3, 4), "float32"), training=True))[:, 0, 0]
    assert set(values) == {101.0, 110.0}
    copy = augment.RandomSubset.from_config(outer.get_config())
    assert copy.get_config() == outer.get_config()


def test_choice_has_the_stated_shape():
    assert four().choose_subsets(7, SeedStream.start(0)).shape == (7, 4)
    assert four(per="batch").choose_subsets(7, SeedStream.start(0)).shape == (1, 4)


def test_unchosen_insertion_gets_random_dna_at_both_ends():
    x = np.full((200, 6, 4), 2.0, "float32")
    insertion = augment.RandomInsertion(5, 5, keep_length=False)
    subset = augment.RandomSubset([insertion, augment.RandomNoise(0.0, 0.0)], max_augs_per_seq=1, seed=0)
    output = ops.convert_to_numpy(subset(x, training=True))
    untouched = (output[:, 2:8] == 2).all(axis=(1, 2))
    assert output.shape == (200, 11, 4)
    assert 60 < untouched.sum() < 140 + 40
    ends = np.concatenate([output[untouched, :2], output[untouched, 8:]], axis=1)
    assert (ends.sum(axis=-1) == 1).all()
    assert (ends.sum(axis=(0, 1)) > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_augs_per_seq": 0}, "max_augs_per_seq >= 1, received 0"),
        ({"max_augs_per_seq": 1.0}, "received 1.0"),
        ({"hard": "yes"}, "hard as True or False, received 'yes'"),
        ({"per": "sample"}, r"per as one of .*received 'sample'"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ConfigError, match=message):
        augment.RandomSubset([augment.RandomNoise()], **arguments)


def test_refuses_a_seed_that_would_have_no_effect():
    with pytest.raises(ConfigError, match=r"RandomNoise\(seed=0\). Give the seed to RandomSubset"):
        augment.RandomSubset([augment.RandomNoise(seed=0)])
