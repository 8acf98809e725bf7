"""One test for each fault of evoaug_tf 1.0.3 and of models built on it that this package mends."""

import evoaug_tf.augment as theirs
import keras
import numpy as np
import pytest
import tensorflow as tf
from evoaug_tf.evoaug import augment_max_len
from keras import ops

from degu import augment
from degu.errors import ConfigError


def model_with(layer, length=30):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((length, 4)), layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    return model


def test_b04_batch_deletion_is_refused_with_a_remedy(batch):
    with pytest.raises(tf.errors.InvalidArgumentError):
        theirs.RandomDeletionBatch(2, 5)(batch)
    with pytest.raises(ConfigError, match=r"batch axis. Use degu.augment.RandomDeletion"):
        augment.as_augmentation(theirs.RandomDeletionBatch(2, 5))


@pytest.mark.parametrize(
    "insertion",
    [
        augment.RandomInsertion(1, 5),
        augment.RandomInsertion(1, 5, keep_length=False),
        theirs.RandomInsertion(1, 5),
    ],
    ids=["keep_length", "lengthen", "evoaug_tf"],
)
def test_b20_insertion_has_one_length_in_training_and_prediction(insertion, batch):
    subset = augment.RandomSubset([insertion, augment.RandomNoise()], max_augs_per_seq=1, seed=0)
    model = model_with(subset)
    model.fit(batch[:32], np.zeros((32, 1)), verbose=0)
    assert model.predict(batch[:3], verbose=0).shape == (3, 1)
    assert subset(batch, training=True).shape == subset(batch, training=False).shape


@pytest.mark.parametrize("per", ["sequence", "batch"])
def test_b21_two_predictions_agree(per, batch):
    insertion = augment.RandomInsertion(0, 5, keep_length=False)
    model = model_with(augment.RandomSubset([insertion, theirs.RandomInsertion(0, 3)], per=per))
    np.testing.assert_array_equal(model.predict(batch, verbose=0), model.predict(batch, verbose=0))
    padded = ops.convert_to_numpy(insertion(batch, training=False))
    np.testing.assert_array_equal(padded[:, 2:32], batch)
    assert not padded[:, :2].any()
    assert not padded[:, 32:].any()


@pytest.mark.parametrize("size", [1, 2])
def test_b22_several_insertions_add_up(size, batch):
    pair = [theirs.RandomInsertion(0, 25), theirs.RandomInsertion(0, 5)]
    assert augment_max_len(pair) == 5
    own = [
        augment.RandomInsertion(0, 25, keep_length=False),
        augment.RandomInsertion(0, 5, keep_length=False),
    ]
    for insertions in (own, pair):
        subset = augment.RandomSubset(insertions, max_augs_per_seq=size, seed=0)
        assert subset(batch, training=True).shape == (400, 60, 4)
        assert subset(batch, training=False).shape == (400, 60, 4)
        assert subset.compute_output_shape((None, 30, 4)) == (None, 60, 4)


def test_b22_small_mutation_is_no_no_op(batch):
    x = np.tile(batch[:, :20], (20, 1, 1))
    assert np.array_equal(theirs.RandomMutation(0.01)(x).numpy(), x)
    changed = (ops.convert_to_numpy(augment.RandomMutation(0.01, seed=0)(x, training=True)) != x).any(axis=-1)
    assert changed.mean() == pytest.approx(0.01, abs=0.001)


def test_b22_mutation_beyond_its_range_is_refused():
    for make in (
        augment.RandomMutation,
        lambda fraction: augment.as_augmentation(theirs.RandomMutation(fraction)),
    ):
        with pytest.raises(ConfigError, match=r"mutate_frac in \[0, 0.75\], received 0.8"):
            make(0.8)


def test_b23_shift_min_is_kept_and_both_ends_are_reached(ladder):
    output = ops.convert_to_numpy(augment.RandomTranslocation(3, 5, seed=0)(ladder, training=True))
    moved = output.max(axis=-1).argmin(axis=-1)  # where base 0 went
    assert set(moved) == {3, 4, 5, 24 - 3, 24 - 4, 24 - 5}


def test_b23_sequences_of_a_batch_get_different_subsets(batch):
    subset = augment.RandomSubset([augment.RandomNoise(), augment.RandomReverseComplement(1.0)], 1, seed=0)
    output = ops.convert_to_numpy(subset(batch, training=True))
    noisy = ((output != 0) & (output != 1)).any(axis=(1, 2))
    assert 150 < noisy.sum() < 250


def test_b23_no_loop_over_the_batch(batch):
    parts = [
        augment.RandomDeletion(),
        augment.RandomInsertion(),
        augment.RandomTranslocation(),
        augment.RandomMutation(),
    ]
    layer = augment.RandomSubset(parts, seed=0)
    graph = tf.function(lambda x: layer(x, training=True), autograph=False).get_concrete_function(batch).graph
    assert not [op.type for op in graph.get_operations() if "While" in op.type or "TensorList" in op.type]
