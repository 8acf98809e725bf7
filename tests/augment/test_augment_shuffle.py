import itertools

import numpy as np
import pytest
from keras import ops
from scipy import stats

from degu.augment import RandomReverseComplement, RandomShuffle, RandomSubset

ALPHA = 1e-3  # the seeds are fixed, so a test fails by a change of the code alone


def run(layer, x):
    return ops.convert_to_numpy(layer(x, training=True))


def origins(output):
    """Return the original position of every output position of a ladder."""
    return output.max(axis=-1).astype(int) - 2


def test_every_sequence_keeps_its_positions_and_no_order(ladder):
    order = origins(run(RandomShuffle(seed=0), ladder))
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(24), (600, 1)))
    assert len({tuple(row) for row in order}) == 600
    assert stats.chisquare([(order[:, 0] == position).sum() for position in range(24)]).pvalue > ALPHA


def test_bases_move_whole_and_n_stays_n(batch):
    x = batch.copy()
    x[:, 3:10] = 0
    output = run(RandomShuffle(seed=1), x)
    np.testing.assert_array_equal(output.sum(axis=1), x.sum(axis=1))
    np.testing.assert_array_equal((~output.any(axis=-1)).sum(axis=1), 7)
    assert set(np.unique(output.sum(axis=-1))) == {0.0, 1.0}


def test_all_permutations_are_equally_likely():
    x = np.tile(np.eye(4, dtype="float32"), (6000, 1, 1))
    drawn = run(RandomShuffle(seed=2), x).argmax(axis=-1)
    counts = [(drawn == permutation).all(axis=1).sum() for permutation in itertools.permutations(range(4))]
    assert sum(counts) == 6000
    assert stats.chisquare(counts).pvalue > ALPHA


def test_consecutive_batches_are_shuffled_independently(ladder):
    layer = RandomShuffle(seed=3)
    first, second = origins(run(layer, ladder)), origins(run(layer, ladder))
    agreement = (first == second).mean()
    assert agreement == pytest.approx(1 / 24, abs=0.01)


def test_acts_in_training_only_and_the_seed_decides(batch):
    layer = RandomShuffle(seed=4)
    for arguments in ({}, {"training": False}):
        np.testing.assert_array_equal(layer(batch, **arguments), batch)
    copy = RandomShuffle.from_config(layer.get_config())
    shuffled = run(layer, batch)
    np.testing.assert_array_equal(run(copy, batch), shuffled)
    assert not np.array_equal(run(RandomShuffle(seed=5), batch), shuffled)


def test_sequences_not_chosen_by_a_subset_are_left_alone(batch):
    subset = RandomSubset([RandomShuffle(), RandomReverseComplement(0.0)], max_augs_per_seq=1, seed=6)
    changed = (run(subset, batch) != batch).any(axis=(1, 2))
    assert stats.binomtest(int(changed.sum()), 400).pvalue > ALPHA


def test_one_base_can_be_shuffled(batch):
    np.testing.assert_array_equal(run(RandomShuffle(seed=7), batch[:, :1]), batch[:, :1])
