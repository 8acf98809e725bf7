import logging

import evoaug_tf.augment as theirs
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from degu import augment
from degu.errors import ConfigError

SOUND = [
    theirs.RandomDeletion(1, 6),
    theirs.RandomInsertion(1, 6),
    theirs.RandomInsertionBatch(1, 6),
    theirs.RandomTranslocation(0, 6),
    theirs.RandomTranslocationBatch(0, 20),
    theirs.RandomMutation(0.1),
    theirs.RandomNoise(0.0, 0.2),
    theirs.RandomRC(0.5),
    theirs.RandomRCBatch(1.0),
]
# Keras reads its variables for the file in a way that NumPy 2 warns of.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
every = pytest.mark.parametrize("theirs_object", SOUND, ids=lambda item: type(item).__name__)


@every
def test_adapter_acts_in_training_only(theirs_object, batch):
    keras.utils.set_random_seed(1)
    layer = augment.as_augmentation(theirs_object)
    assert isinstance(layer, augment.EvoAugAdapter)
    left = layer.added_length // 2
    changed = ops.convert_to_numpy(layer(batch, training=True))
    assert changed.shape == (400, 30 + layer.added_length, 4)
    assert not np.array_equal(changed[:, left : left + 30], batch)
    np.testing.assert_array_equal(layer(batch)[:, left : left + 30], batch)


@every
def test_adapter_round_trip_and_graph(theirs_object, batch):
    layer = augment.EvoAugAdapter(theirs_object)
    copy = augment.EvoAugAdapter.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert type(copy.augmentation) is type(theirs_object)
    traced = tf.function(
        lambda x: copy(x, training=True),
        input_signature=[tf.TensorSpec((None, 30, 4), "float32")],
        autograph=False,
    )
    assert traced.get_concrete_function().structured_outputs.shape == (None, 30 + layer.added_length, 4)
    assert traced(batch[:7]).shape == (7, 30 + layer.added_length, 4)


@saves
def test_objects_act_inside_a_subset_and_a_saved_model(batch, tmp_path):
    keras.utils.set_random_seed(2)
    subset = augment.RandomSubset([theirs.RandomRC(1.0), theirs.RandomNoise(5.0, 0.01)], 1, seed=0)
    output = ops.convert_to_numpy(subset(batch, training=True))
    turned = (output == batch[:, ::-1, ::-1]).all(axis=(1, 2))
    noisy = output.mean(axis=(1, 2)) > 4
    assert (turned ^ noisy).all()
    assert turned.sum() > 150
    assert noisy.sum() > 150

    model = keras.Sequential([keras.Input((30, 4)), subset, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(batch[:40], np.zeros((40, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(batch, verbose=0), model.predict(batch, verbose=0))
    assert [type(item.augmentation).__name__ for item in loaded.layers[0].augmentations] == [
        "RandomRC",
        "RandomNoise",
    ]


def test_own_layers_pass_through():
    layer = augment.RandomNoise()
    assert augment.as_augmentation(layer) is layer


@pytest.mark.parametrize("name", ["RandomTranslocation", "RandomTranslocationBatch"])
def test_translocation_with_an_ignored_argument_is_replaced(name, caplog):
    with caplog.at_level(logging.WARNING):
        layer = augment.as_augmentation(getattr(theirs, name)(shift_min=3, shift_max=8))
    assert type(layer) is getattr(augment, name)
    assert (layer.shift_min, layer.shift_max) == (3, 8)
    assert f"degu.augment.{name} takes its place" in caplog.text


class Custom(theirs.AugmentBase):
    def __call__(self, x):
        return x


@pytest.mark.parametrize("unknown", [3, Custom(), np.flip])
def test_other_objects_are_refused(unknown):
    with pytest.raises(ConfigError, match=r"subclass degu.augment.Augmentation"):
        augment.as_augmentation(unknown)


def test_config_names_a_class_of_evoaug_tf_only():
    config = augment.EvoAugAdapter(theirs.RandomNoise()).get_config()
    config["augmentation"] = {"class": "AugmentBase", "arguments": {}}
    layer = augment.EvoAugAdapter.from_config(config)
    with pytest.raises(NotImplementedError):
        layer.augmentation(np.zeros((1, 2, 4)))
    config["augmentation"] = {"class": "os.system", "arguments": {}}
    with pytest.raises(ConfigError, match="no class 'os.system'"):
        augment.EvoAugAdapter.from_config(config)


def test_adapter_needs_tensorflow(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match="expected the TensorFlow backend.*received 'jax'"):
        augment.EvoAugAdapter(theirs.RandomNoise())
