"""What augmentations keep, whatever their arguments, the sequences and the seed are."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from degu import augment
from degu.data.encoding import one_hot, tokens_from_one_hot

UNKNOWN = 4
EXAMPLES = settings(max_examples=20, deadline=None)
SEEDS = st.integers(0, 2**31 - 1)


@st.composite
def tokens(draw, low=1, high=24):
    """Draw a batch of sequences of one length, N included, as tokens (B, L)."""
    batch, length = draw(st.integers(1, 3)), draw(st.integers(low, high))
    letters = st.lists(st.integers(0, UNKNOWN), min_size=length, max_size=length)
    return np.array([draw(letters) for _ in range(batch)], np.uint8)


def changed(layer, x, seed):
    """Return what an augmentation makes of tokens, as tokens; anything but DNA is an error."""
    return tokens_from_one_hot(ops.convert_to_numpy(layer.augment(ops.convert_to_tensor(one_hot(x)), seed)))


def lengths(draw, longest):
    """Draw a smallest and a largest length."""
    most = draw(st.integers(0, longest))
    return draw(st.integers(0, most)), most


def sorted_rows(x):
    return np.sort(x, axis=1)


@EXAMPLES
@given(st.data(), tokens(), SEEDS)
def test_deletion_leaves_two_pieces_between_new_bases(data, x, seed):
    length = x.shape[1]
    least, most = lengths(data.draw, length)
    for before, after in zip(x, changed(augment.RandomDeletion(least, most), x, seed), strict=True):
        assert any(
            (np.delete(before, np.s_[start : start + cut]) == after[cut // 2 : length - (cut - cut // 2)]).all()
            and UNKNOWN not in after[: cut // 2]
            and UNKNOWN not in after[length - (cut - cut // 2) :]
            for cut in range(least, most + 1)
            for start in range(length - cut + 1)
        )


@EXAMPLES
@given(st.data(), tokens(), SEEDS)
def test_insertion_keeps_every_base_in_its_order(data, x, seed):
    length = x.shape[1]
    least, most = lengths(data.draw, 8)
    layer = augment.RandomInsertion(least, most, keep_length=False)
    result = changed(layer, x, seed)
    assert result.shape == (len(x), length + most)
    for before, after in zip(x, result, strict=True):
        assert any(
            (np.delete(after[left : left + length + new], np.s_[gap : gap + new]) == before).all()
            and (np.delete(after, np.r_[left : left + gap, left + gap + new : left + new + length]) != UNKNOWN).all()
            for new in range(least, most + 1)
            for left in [(most - new) // 2]
            for gap in range(length + 1)
        )


@EXAMPLES
@given(st.data(), tokens(), SEEDS)
def test_insertion_that_keeps_the_length_cuts_both_ends(data, x, seed):
    length = x.shape[1]
    least, most = lengths(data.draw, 8)
    for before, after in zip(x, changed(augment.RandomInsertion(least, most), x, seed), strict=True):
        assert any(
            all(after[at] == whole[at + new // 2] for at in range(length) if not gap <= at + new // 2 < gap + new)
            for new in range(least, most + 1)
            for gap in range(length + 1)
            for whole in [np.insert(before, gap, np.zeros(new, np.uint8))]
        )


@EXAMPLES
@given(st.data(), tokens(), SEEDS)
def test_translocation_rolls(data, x, seed):
    least, most = lengths(data.draw, x.shape[1] - 1)
    shifts = [sign * size for size in range(least, most + 1) for sign in (1, -1)]
    for layer in (augment.RandomTranslocation(least, most), augment.RandomTranslocationBatch(least, most)):
        for before, after in zip(x, changed(layer, x, seed), strict=True):
            assert any((np.roll(before, shift) == after).all() for shift in shifts)


@EXAMPLES
@given(tokens(), st.floats(0, 0.75), SEEDS)
def test_mutation_leaves_n_and_changes_no_more_than_it_redraws(x, share, seed):
    after = changed(augment.RandomMutation(share), x, seed)
    assert ((after == UNKNOWN) == (x == UNKNOWN)).all()
    assert ((after != x).sum(axis=1) <= np.ceil(x.shape[1] * share / 0.75)).all()


@EXAMPLES
@given(tokens(), SEEDS)
def test_reverse_complement_turns_all_or_nothing_of_a_sequence(x, seed):
    complement = np.array([3, 2, 1, 0, UNKNOWN], np.uint8)
    for before, after in zip(x, changed(augment.RandomReverseComplement(), x, seed), strict=True):
        assert any((candidate == after).all() for candidate in (before, complement[before[::-1]]))


@EXAMPLES
@given(tokens(), SEEDS)
def test_shuffling_keeps_the_composition(x, seed):
    after = changed(augment.RandomShuffle(), x, seed)
    np.testing.assert_array_equal(sorted_rows(after), sorted_rows(x))


@EXAMPLES
@given(st.data(), tokens(low=6), SEEDS)
def test_a_subset_gives_dna_of_the_promised_length_and_the_same_again(data, x, seed):
    chain = [
        augment.RandomDeletion(0, 5),
        augment.RandomInsertion(1, 4, keep_length=False),
        augment.RandomTranslocation(0, 5),
        augment.RandomReverseComplement(),
        augment.RandomMutation(0.2),
    ]
    chosen = data.draw(st.lists(st.sampled_from(chain), min_size=1, unique=True))
    layer = augment.RandomSubset(
        chosen,
        data.draw(st.integers(1, 5)),
        data.draw(st.booleans()),
        data.draw(st.sampled_from(["sequence", "batch"])),
    )
    after = changed(layer, x, seed)
    assert after.shape == (len(x), x.shape[1] + layer.added_length)
    # New bases are never N; what was cut may have been.
    assert ((after == UNKNOWN).sum(axis=1) <= (x == UNKNOWN).sum(axis=1)).all()
    np.testing.assert_array_equal(changed(layer, x, seed), after)


@pytest.mark.parametrize("kind", ["float16", "float32"])
@EXAMPLES
@given(tokens(low=6), SEEDS)
def test_without_training_nothing_is_changed_but_n_at_the_ends(kind, x, seed):
    encoded = ops.convert_to_tensor(one_hot(x).astype(kind))
    for layer in (augment.RandomDeletion(0, 5, seed=seed), augment.RandomInsertion(0, 3, keep_length=False, seed=seed)):
        layer = layer.__class__.from_config({**layer.get_config(), "dtype": kind})
        after = layer(encoded)
        assert keras.backend.standardize_dtype(after.dtype) == kind
        added = layer.added_length
        expected = np.pad(x, [(0, 0), (added // 2, added - added // 2)], constant_values=UNKNOWN)
        np.testing.assert_array_equal(tokens_from_one_hot(ops.convert_to_numpy(after)), expected)
