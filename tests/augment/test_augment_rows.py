"""Changes on the numbers of rows against the same changes on the rows."""

import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import stats

from degu import augment
from degu.augment import sampling
from degu.augment.rows import Rows
from degu.augment.sampling import choose, random_bases
from degu.augment.seeds import SeedStream

ALPHA = 1e-3  # the seeds are fixed, so a test fails by a change of the code alone


def movers():
    return [
        augment.RandomDeletion(0, 6),
        augment.RandomReverseComplement(0.5),
        augment.RandomMutation(0.2),
        augment.RandomInsertion(0, 5),
        augment.RandomTranslocation(0, 9),
        augment.RandomMutation(0.1),
        augment.RandomInsertion(1, 4, keep_length=False),
        augment.RandomReverseComplement(0.5),
        augment.RandomTranslocationBatch(1, 7),
        augment.RandomShuffle(),
        augment.RandomDeletion(3, 4),
    ]


class Half(augment.Augmentation):
    """Works on values alone, as a user's own augmentation may."""

    def transform(self, x, seed):
        return x * ops.cast(keras.random.uniform((ops.shape(x)[0], 1, 1), seed=seed) + 1, x.dtype)


@pytest.fixture
def mixed():
    """Sequences (60, 30, 4): bases, N, and rows of any numbers."""
    rng = np.random.default_rng(3)
    x = np.eye(4, dtype="float32")[rng.integers(0, 4, (60, 30))]
    x[rng.random((60, 30)) < 0.2] = 0
    odd = rng.random((60, 30)) < 0.2
    x[odd] = rng.normal(size=(odd.sum(), 4))
    return x


def one_by_one(augmentations, x, seed):
    """Change the rows themselves, one augmentation after the other."""
    stream = SeedStream.start(seed)
    for augmentation in augmentations:
        x = augmentation.transform(x, stream)
    return x


def in_numbers(augmentations, x, seed):
    """Change the numbers, and take the rows at the end."""
    stream = SeedStream.start(seed)
    rows = Rows(ops.convert_to_tensor(x)).numbered()
    for augmentation in augmentations:
        rows = augmentation.rearrange(rows, stream)
        assert len(rows.values.shape) == 2
    return rows.one_hot()


@pytest.mark.parametrize("index", range(len(movers())))
def test_one_change_of_numbers_is_that_of_the_rows(index, mixed):
    chain = movers()[index : index + 1]
    changed = one_by_one(chain, mixed, 5)
    np.testing.assert_array_equal(in_numbers(chain, mixed, 5), changed)
    assert not np.array_equal(ops.convert_to_numpy(changed)[:, :30], mixed)


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_of_changes_of_numbers_is_that_of_the_rows(seed, mixed):
    np.testing.assert_array_equal(in_numbers(movers(), mixed, seed), one_by_one(movers(), mixed, seed))


@pytest.mark.parametrize("per", ["sequence", "batch"])
def test_subset_is_its_operations_one_by_one(per, mixed):
    augmentations = [*movers()[:4], Half(), *movers()[4:]]
    subset = augment.RandomSubset(augmentations, max_augs_per_seq=5, hard=False, per=per)
    assert not subset.moves_rows
    x, stream = ops.convert_to_tensor(mixed), SeedStream.start(8)
    chosen = subset.choose_subsets(60, stream)
    for column, augmentation in enumerate(augmentations):
        unchanged = Rows(x).pad(augmentation.added_length, stream).one_hot()
        changed = augmentation.transform(x, stream)
        x = ops.where(chosen[:, column][:, None, None], changed, unchanged)
    np.testing.assert_array_equal(subset.augment(mixed, 8), x)


def test_nested_subsets_stay_in_numbers(mixed):
    inner = augment.RandomSubset(movers()[:3], max_augs_per_seq=1)
    outer = augment.RandomSubset([inner, augment.RandomShuffle()], max_augs_per_seq=1)
    assert outer.moves_rows
    np.testing.assert_array_equal(in_numbers([outer], mixed, 2), outer.augment(mixed, 2))


class RandomReversal(augment.RowAugmentation):
    """The example of docs/augmentations.md."""

    def rearrange(self, rows, seed):
        backwards = keras.ops.broadcast_to(keras.ops.arange(rows.length - 1, -1, -1), (rows.batch, rows.length))
        chosen = keras.random.uniform((rows.batch,), seed=seed) < 0.5
        return rows.where(chosen, rows.take(backwards))


def test_a_layer_of_the_user_moves_rows(mixed):
    output = ops.convert_to_numpy(RandomReversal(seed=0)(mixed, training=True))
    turned = (output == mixed[:, ::-1]).all(axis=(1, 2))
    assert 15 < turned.sum() < 45
    np.testing.assert_array_equal(output[~turned], mixed[~turned])
    chain = [RandomReversal(), augment.RandomMutation()]
    np.testing.assert_array_equal(in_numbers(chain, mixed, 4), one_by_one(chain, mixed, 4))


def test_rows_follow_once():
    layer = augment.RandomSubset(movers(), max_augs_per_seq=4, seed=0)
    x = tf.zeros((8, 30, 4))
    graph = tf.function(lambda x: layer(x, training=True), autograph=False).get_concrete_function(x).graph
    moved = [op for op in graph.get_operations() if op.type in ("GatherNd", "GatherV2") and op.inputs[1].shape.rank > 1]
    rows = [op for op in moved if op.inputs[0].dtype == tf.float32 and op.inputs[1].shape.num_elements() >= 8 * 30]
    assert len(rows) == 1
    assert len(moved) > len(movers())


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int32"])
def test_any_type_of_number_passes(dtype):
    x = ops.cast(np.eye(4)[np.random.default_rng(1).integers(0, 4, (40, 30))], dtype)
    output = augment.RandomSubset(movers(), max_augs_per_seq=6).augment(x, 0)
    assert keras.backend.standardize_dtype(output.dtype) == dtype
    values = ops.convert_to_numpy(ops.cast(output, "float32"))
    np.testing.assert_array_equal(values.sum(axis=-1), 1)
    assert set(np.unique(values)) == {0.0, 1.0}


def test_compiled_by_xla_the_definitions_hold():
    x = np.zeros((200, 24, 4), "float32")
    x[:, np.arange(24), np.arange(24) % 4] = np.arange(24) + 2
    layer = augment.RandomSubset([augment.RandomDeletion(2, 2), augment.RandomMutation(0.125)], seed=0)
    compiled = tf.function(lambda x: layer(x, training=True), autograph=False, jit_compile=True)
    origin = ops.convert_to_numpy(compiled(x)).max(axis=-1) - 2
    old = [row[row >= 0] for row in origin]
    assert all((np.diff(row) > 0).all() for row in old)
    assert {len(row) for row in old} == {18, 19, 20}  # two are new at the ends, four are redrawn, up to two of them new


# Draws


@pytest.mark.parametrize("most_placed", [128, 0], ids=["placed", "sorted"])
def test_all_ordered_choices_are_equally_likely(most_placed, monkeypatch):
    monkeypatch.setattr(sampling, "_MANY", most_placed)
    drawn = ops.convert_to_numpy(choose(24000, 5, 3, SeedStream.start(2))).T
    counts = [(drawn == choice).all(axis=1).sum() for choice in itertools.permutations(range(5), 3)]
    assert sum(counts) == 24000
    assert stats.chisquare(counts).pvalue > ALPHA


def test_choice_of_all_is_a_permutation():
    drawn = ops.convert_to_numpy(choose(500, 40, 40, SeedStream.start(3)))
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.tile(np.arange(40)[:, None], 500))
    assert stats.chisquare(np.bincount(drawn[-1])).pvalue > ALPHA


def test_all_sets_of_mutated_positions_are_equally_likely():
    x = np.full((9000, 5, 4), 2.0, "float32")  # 5 * 0.3 / 0.75 = 2 positions
    output = ops.convert_to_numpy(augment.RandomMutation(0.3, seed=1)(x, training=True))
    redrawn = (output != x).any(axis=-1)
    sets, counts = np.unique(redrawn, axis=0, return_counts=True)
    assert len(sets) == 10
    assert stats.chisquare(counts).pvalue > ALPHA


def test_bases_are_independent_of_their_neighbours_and_of_other_words():
    bases = ops.convert_to_numpy(random_bases(8000, 32, SeedStream.start(4)))
    assert bases.shape == (8000, 32)
    for first, second in ((0, 1), (13, 14), (14, 15), (0, 15), (15, 31)):
        counts = np.bincount(4 * bases[:, first] + bases[:, second], minlength=16)
        assert stats.chisquare(counts).pvalue > ALPHA


@pytest.mark.jax
def test_maps_over_members_on_jax():
    pytest.importorskip("jax")
    code = """
import os; os.environ['KERAS_BACKEND'] = 'jax'
import jax, keras, numpy as np
from degu import augment as a
x = np.eye(4, dtype='float32')[np.random.default_rng(0).integers(0, 4, (3, 8, 20))]
parts = [a.RandomMutation(0.2), a.RandomDeletion(1, 5), a.RandomInsertion(1, 3, keep_length=False),
         a.RandomTranslocation(1, 5), a.RandomReverseComplement(), a.RandomShuffle(), a.RandomNoise()]
states = np.array([[1, 2], [1, 99], [1, 2]], 'uint32')
for layer in [*parts, a.RandomSubset(parts), a.RandomSubset(parts[:-1], hard=False, per='batch')]:
    alone, together = jax.jit(layer.augment), jax.jit(jax.vmap(layer.augment))
    changed = np.asarray(together(x, states))
    one_by_one = [alone(*member) for member in zip(x, states)]
    np.testing.assert_allclose(changed, one_by_one, atol=1e-6)  # noise is rounded differently
    same = np.asarray(together(np.stack([x[0]] * 3), states))
    assert (same[0] == same[2]).all() and (same[0] != same[1]).any(), layer
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
