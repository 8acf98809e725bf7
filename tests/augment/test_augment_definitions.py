import evoaug_tf.augment as theirs
import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from degu import augment
from degu.errors import ConfigError

ALPHA = 1e-3  # the seeds are fixed, so a test fails by a change of the code alone


def run(layer, x):
    return ops.convert_to_numpy(layer(x, training=True))


def origins(output):
    """Return the original position of every output position of a ladder, or -1 for new DNA."""
    return output.max(axis=-1).astype(int) - 2


def is_one_hot(x):
    return bool(((x == 0) | (x == 1)).all() and (x.sum(axis=-1) == 1).all())


def assert_uniform(values, support):
    assert set(np.unique(values)) == set(support)
    observed = [(values == value).sum() for value in support]
    assert stats.chisquare(observed).pvalue > ALPHA


# Mutation


@pytest.mark.parametrize(("length", "fraction"), [(30, 0.05), (30, 0.3), (30, 0.75), (17, 0.2)])
def test_mutation_changes_the_expected_fraction(batch, length, fraction):
    x = np.tile(batch[:, :length], (5, 1, 1))
    output = run(augment.RandomMutation(fraction, seed=0), x)
    changed = (output != x).any(axis=-1).mean(axis=1)
    assert is_one_hot(output)
    error = changed.std(ddof=1) / np.sqrt(len(changed))
    assert changed.mean() == pytest.approx(fraction, abs=4 * error)


def test_mutation_redraws_a_fixed_number_of_positions():
    # Entries of 2 mark what was redrawn, silent redraws included: 30 * 0.1 / 0.75 = 4.
    x = np.full((300, 30, 4), 2.0, "float32")
    redrawn = (run(augment.RandomMutation(0.1, seed=1), x) != x).any(axis=-1)
    assert (redrawn.sum(axis=1) == 4).all()
    assert stats.chisquare(redrawn.sum(axis=0)).pvalue > ALPHA


def test_mutation_rounds_the_number_of_positions_at_random():
    x = np.full((4000, 10, 4), 2.0, "float32")
    counts = (run(augment.RandomMutation(0.12, seed=2), x) != x).any(axis=-1).sum(axis=1)
    assert set(counts) == {1, 2}
    assert counts.mean() == pytest.approx(10 * 0.12 / 0.75, abs=0.03)


def test_mutation_draws_the_four_bases_equally(batch):
    x = np.full((300, 30, 4), 2.0, "float32")
    output = run(augment.RandomMutation(0.75, seed=3), x)
    assert is_one_hot(output)
    assert stats.chisquare(output.sum(axis=(0, 1))).pvalue > ALPHA


def test_mutation_keeps_n(batch):
    x = batch.copy()
    x[:, 5:12] = 0
    output = run(augment.RandomMutation(0.75, seed=4), x)
    assert not output[:, 5:12].any()
    assert is_one_hot(output[:, 12:])


def test_mutation_of_zero_changes_nothing(batch):
    np.testing.assert_array_equal(run(augment.RandomMutation(0.0, seed=0), batch), batch)


def test_mutation_agrees_with_evoaug_tf(batch):
    keras.utils.set_random_seed(0)
    x = np.tile(batch, (4, 1, 1))
    ours, reference = run(augment.RandomMutation(0.1, seed=5), x), theirs.RandomMutation(0.1)(x).numpy()
    changed = [(output != x).any(axis=-1) for output in (ours, reference)]
    assert stats.ks_2samp(*(mask.sum(axis=1) for mask in changed)).pvalue > ALPHA
    assert stats.chi2_contingency([mask.sum(axis=0) for mask in changed]).pvalue > ALPHA


# Deletion


def deletions(output):
    """Return (length, start, new bases at the left) of the deletion of every ladder."""
    rows = []
    for origin in origins(output):
        kept = origin[origin >= 0]
        missing = np.setdiff1d(np.arange(24), kept)
        assert (np.diff(kept) > 0).all()
        assert (np.diff(missing) == 1).all()
        rows.append((len(missing), missing[0], np.argmax(origin >= 0)))
    return np.array(rows)


def test_deletion_follows_its_definition(ladder):
    output = run(augment.RandomDeletion(2, 6, seed=0), np.tile(ladder, (6, 1, 1)))
    deleted, start, left = deletions(output).T
    assert_uniform(deleted, range(2, 7))
    np.testing.assert_array_equal(left[start > 0], (deleted // 2)[start > 0])
    for size in range(2, 7):
        assert_uniform(start[deleted == size], range(24 - size + 1))


def test_deletion_fills_the_ends_with_random_dna(ladder):
    output = run(augment.RandomDeletion(6, 6, seed=1), ladder)
    ends = np.concatenate([output[:, :3], output[:, -3:]], axis=1)
    assert is_one_hot(ends)
    assert stats.chi2_contingency(ends.sum(axis=0)).pvalue > ALPHA
    assert stats.chisquare(ends.sum(axis=(0, 1))).pvalue > ALPHA


def test_deletion_of_a_fixed_length_agrees_with_evoaug_tf(ladder):
    keras.utils.set_random_seed(1)
    ours = deletions(run(augment.RandomDeletion(5, 5, seed=2), ladder))
    reference = deletions(theirs.RandomDeletion(5, 5)(ladder).numpy())
    assert stats.ks_2samp(ours[:, 1], reference[:, 1]).pvalue > ALPHA
    np.testing.assert_array_equal(np.unique(reference[:, 2]), np.unique(ours[:, 2]))


# Insertion


def insertions(output):
    """Return (length, gap, new bases at the left) of every insertion that lies inside its ladder."""
    rows = []
    for origin in origins(output):
        places = np.flatnonzero(origin >= 0)
        np.testing.assert_array_equal(origin[places], np.arange(24))
        steps = np.diff(places)
        if steps.max() > 1:
            rows.append((steps.max() - 1, np.argmax(steps) + 1, places[0]))
    return np.array(rows)


def test_insertion_with_lengthening_follows_its_definition(ladder):
    output = run(augment.RandomInsertion(1, 5, keep_length=False, seed=0), ladder)
    length, gap, left = insertions(output).T
    assert output.shape == (600, 29, 4)
    assert len(gap) / 600 == pytest.approx(23 / 25, abs=0.04)  # the others lie at an end
    assert_uniform(length, range(1, 6))
    assert_uniform(gap, range(1, 24))
    np.testing.assert_array_equal(left, (5 - length) // 2)
    assert is_one_hot(output[origins(output) < 0])


def test_insertion_reaches_both_ends(ladder):
    origin = origins(run(augment.RandomInsertion(5, 5, keep_length=False, seed=3), ladder))
    before, behind = (origin[:, :5] < 0).all(axis=1), (origin[:, -5:] < 0).all(axis=1)
    assert before.mean() == pytest.approx(1 / 25, abs=0.025)
    assert behind.mean() == pytest.approx(1 / 25, abs=0.025)


@pytest.mark.parametrize("size", [4, 5])
def test_insertion_that_keeps_the_length_cuts_both_ends(size, ladder):
    output = run(augment.RandomInsertion(size, size, seed=1), ladder)
    first, last = size // 2, 23 - (size - size // 2)
    inside = [row for row in origins(output) if row[0] == first and row[-1] == last]
    assert output.shape == ladder.shape
    assert len(inside) > 300
    for row in inside:
        np.testing.assert_array_equal(row[row >= 0], np.arange(first, last + 1))
        new = np.flatnonzero(row < 0)
        np.testing.assert_array_equal(new, np.arange(new[0], new[0] + size))


def test_insertion_agrees_with_evoaug_tf(ladder):
    keras.utils.set_random_seed(2)
    ours = insertions(run(augment.RandomInsertion(1, 5, keep_length=False, seed=2), ladder))
    reference = insertions(theirs.RandomInsertion(1, 5)(ladder).numpy())
    for column in range(3):
        assert stats.ks_2samp(ours[:, column], reference[:, column]).pvalue > ALPHA


def test_insertion_of_nothing_changes_nothing(batch):
    for keep_length in (True, False):
        layer = augment.RandomInsertion(0, 0, keep_length=keep_length, seed=0)
        np.testing.assert_array_equal(run(layer, batch), batch)


# Translocation


def shifts(output):
    """Return the shift to the right of every ladder, between -12 and 11."""
    return (12 - origins(output)[:, 0]) % 24 - 12


def test_translocation_rolls_every_sequence(ladder):
    output = run(augment.RandomTranslocation(2, 5, seed=0), ladder)
    shift = shifts(output)
    expected = np.stack([np.roll(row, by, axis=0) for row, by in zip(ladder, shift, strict=True)])
    np.testing.assert_array_equal(output, expected)
    assert_uniform(shift, [-5, -4, -3, -2, 2, 3, 4, 5])


def test_translocation_includes_zero_and_the_largest_shift(ladder):
    size = np.abs(shifts(run(augment.RandomTranslocation(0, 3, seed=1), ladder)))
    assert_uniform(size, range(4))


def test_translocation_batch_rolls_all_by_one_shift(ladder):
    layer = augment.RandomTranslocationBatch(1, 4, seed=2)
    drawn = [shifts(run(layer, ladder[:20])) for _ in range(40)]
    assert all(len(set(shift)) == 1 for shift in drawn)
    assert {shift[0] for shift in drawn} == {-4, -3, -2, -1, 1, 2, 3, 4}


# Reverse complement


def test_reverse_complement_turns_the_given_share(batch):
    x = np.tile(batch, (5, 1, 1))
    output = run(augment.RandomReverseComplement(0.3, seed=0), x)
    turned = (output == x[:, ::-1, ::-1]).all(axis=(1, 2))
    np.testing.assert_array_equal(output[~turned], x[~turned])
    assert turned.mean() == pytest.approx(0.3, abs=0.05)


def test_reverse_complement_of_a_known_sequence():
    acggn = np.vstack([np.eye(4, dtype="float32")[[0, 1, 2, 2]], np.zeros((1, 4), "float32")])[None]
    nccgt = np.vstack([np.zeros((1, 4), "float32"), np.eye(4, dtype="float32")[[1, 1, 2, 3]]])[None]
    np.testing.assert_array_equal(run(augment.RandomReverseComplement(1.0), acggn), nccgt)
    np.testing.assert_array_equal(run(augment.RandomReverseComplement(0.0), acggn), acggn)
    np.testing.assert_array_equal(theirs.RandomRC(1.0)(acggn).numpy(), nccgt)


# Noise


def test_noise_has_its_mean_and_deviation(batch):
    noise = (run(augment.RandomNoise(0.1, 0.25, seed=0), batch) - batch).ravel()
    assert stats.kstest(noise, stats.norm(0.1, 0.25).cdf).pvalue > ALPHA
    np.testing.assert_array_equal(run(augment.RandomNoise(0.0, 0.0), batch), batch)


def test_noise_agrees_with_evoaug_tf(batch):
    keras.utils.set_random_seed(3)
    ours = run(augment.RandomNoise(seed=1), batch) - batch
    reference = theirs.RandomNoise()(batch).numpy() - batch
    assert stats.ks_2samp(ours.ravel(), reference.ravel()).pvalue > ALPHA


# Arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: augment.RandomMutation(0.8), r"mutate_frac in \[0, 0.75\], received 0.8"),
        (lambda: augment.RandomMutation(float("nan")), "received nan"),
        (lambda: augment.RandomDeletion(5, 4), "delete_min=5 and delete_max=4"),
        (lambda: augment.RandomDeletion(-1, 4), "delete_min=-1"),
        (lambda: augment.RandomInsertion(0, 1.5), "insert_max as a whole number of bases, received 1.5"),
        (lambda: augment.RandomInsertion(keep_length=1), "keep_length as True or False, received 1"),
        (lambda: augment.RandomTranslocation(True, 4), "shift_min as a whole number"),
        (lambda: augment.RandomReverseComplement(1.1), r"probability in \[0, 1\], received 1.1"),
        (lambda: augment.RandomNoise(0.0, -0.1), "noise_std"),
        (lambda: augment.RandomNoise(float("inf")), "noise_mean"),
    ],
)
def test_refuses_arguments_out_of_range(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
