"""The third scenario of the request, on augmentation, run word by word on simulated sequences of 249 bp."""

import functools

import evoaug_tf.augment
import numpy as np
import pytest
from tensorflow import keras

import degu.augment
import degu.train
from degu import utils
from degu.data import synthetic
from degu.data.encoding import one_hot

SCENARIO_3 = """
from degu import train, EnsemblerDynamic
augment_list = [
    augment.RandomDeletion(delete_min=0, delete_max=25),
    augment.RandomTranslocationBatch(shift_min=0, shift_max=25),
    augment.RandomNoise(noise_mean=0, noise_std=0.25),
    augment.RandomMutation(mutate_frac=0.05)
]
ensembler = EnsemblerDynamic(base_model=DeepSTARR(), uncertainty_fun=utils.logvar)
ensemble_history = ensembler.train(
    x_train, y_train, num_ensemble=5, 
    train_fun=train.train_dynamic_aug_fun, 
    validation_data=(x_valid, y_valid), 
    save_prefix='deepstarr_evoaug', 
    augment_list=augment_list
)
"""  # noqa: W291


def DeepSTARR(input_shape=(249, 4), output_shape=2):
    """The base model of the first scenario, which the third takes for granted."""
    inputs = keras.layers.Input(shape=input_shape)
    x = keras.layers.Conv1D(256, kernel_size=7, padding="same")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("relu")(x)
    x = keras.layers.MaxPooling1D(2)(x)
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(output_shape, activation="linear")(x)
    return keras.Model(inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(
    "augment",
    [
        pytest.param(degu.augment, id="degu"),
        pytest.param(evoaug_tf.augment, id="evoaug_tf", marks=pytest.mark.slow),
    ],
)
def test_scenario_3_dynamic_augmentation(augment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # the text names the recipe without arguments; one epoch a stage is enough to see both
    brief = functools.partial(degu.train.train_dynamic_aug_fun, max_epochs=1, finetune_epochs=1)
    monkeypatch.setattr(degu.train, "train_dynamic_aug_fun", brief)
    splits = synthetic(num_train=12, num_valid=6, num_test=6, length=249)
    names = {"augment": augment, "utils": utils, "DeepSTARR": DeepSTARR}
    for name, split in splits.items():
        names |= {f"x_{name}": one_hot(split.tokens), f"y_{name}": split.targets}
    exec(SCENARIO_3, names)

    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        f"deepstarr_evoaug_{index}.{kind}" for index in range(5) for kind in ("weights.h5", "training.json")
    }
    histories = [history.history for history in names["ensemble_history"]]
    assert [history["stage"] for history in histories] == [[1, 2]] * 5
    for history in histories:
        assert history["learning_rate"] == pytest.approx([1e-3, 1e-4], rel=1e-6)
        assert np.isfinite(history["loss"] + history["val_loss"]).all()
    mean, epistemic, _, members = names["ensembler"].predict(names["x_test"])
    assert members.shape == (5, 6, 2)
    np.testing.assert_allclose(mean, members.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(epistemic, np.log(members.var(axis=0, ddof=1)), rtol=1e-2, atol=1e-3)
    assert len({member.tobytes() for member in members}) == 5
