"""The usage scenarios of the request run word by word, on simulated sequences of 249 bp."""

import functools
import logging

import numpy as np
import pytest

from degu.data import synthetic
from degu.data.encoding import one_hot
from degu.metrics import eval_regression
from degu.train import train_standard_fun

SCENARIO_1 = """
from degu import EnsemblerBase, Distiller, utils
from tensorflow import keras

# Define the base model
def DeepSTARR(input_shape=(249, 4), output_shape=2):
    inputs = keras.layers.Input(shape=input_shape)
    x = keras.layers.Conv1D(256, kernel_size=7, padding='same')(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation('relu')(x)
    x = keras.layers.MaxPooling1D(2)(x)
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(output_shape, activation='linear')(x)
    return keras.Model(inputs=inputs, outputs=outputs)

# Train ensemble models
ensembler = EnsemblerBase(base_model=DeepSTARR(), uncertainty_fun=utils.logvar)
ensemble_history = ensembler.train(
    x_train, y_train, num_ensemble=5, 
    train_fun=train_standard_fun, 
    validation_data=(x_valid, y_valid), 
    save_prefix='deepstarr'
)

# Distill to student model
student_model = DeepSTARR(output_shape=4)
distiller = Distiller(ensembler, uncertainty_fun=utils.logvar)
student_path, history = distiller.distill_student(
    x_train, y_train, model=student_model, 
    train_fun=train_standard_fun, 
    validation_data=(x_valid, y_valid), 
    save_prefix='deepstarr_distilled'
)
"""  # noqa: W291

SCENARIO_2 = """
weight_paths = ['model_{}.h5'.format(i) for i in range(5)]
ensembler = EnsemblerBase(base_model=DeepSTARR(), weight_paths=weight_paths, uncertainty_fun=utils.logvar)

# Evaluate ensemble and distill to student model
ensemble_results, _ = ensembler.eval_ensemble(x_test, y_test, eval_function)
student_model = DeepSTARR(output_shape=4)
distiller = Distiller(ensembler, uncertainty_fun=utils.logvar)
distiller.distill_student(x_train, y_train, model=student_model, train_fun=train_standard_fun)
"""

NEW_CALLS = """
metrics = eval_regression(predictions, true_values)
print("MSE, Pearson, Spearman:", metrics)
log_variance = logvar(predictions, axis=0)
standard_deviation = std(predictions, axis=0)
"""


@pytest.fixture(scope="module")
def names():
    """What the scenarios take for granted."""
    splits = synthetic(num_train=24, num_valid=10, num_test=10, length=249)
    found = {
        "train_standard_fun": functools.partial(train_standard_fun, max_epochs=1),
        "eval_function": eval_regression,
    }
    for name, split in splits.items():
        found |= {f"x_{name}": one_hot(split.tokens), f"y_{name}": split.targets}
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def after_scenario_1(names, tmp_path_factory):
    """The names that the first scenario leaves, and the folder that it ran in."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("scenario_1")
        patch.chdir(folder)
        space = dict(names)
        exec(SCENARIO_1, space)
        return space, folder


def test_scenario_1_ensemble_in_serial(after_scenario_1):
    space, folder = after_scenario_1
    assert sorted(path.name for path in folder.glob("*.h5")) == [
        *(f"deepstarr_{index}.weights.h5" for index in range(5)),
        "deepstarr_distilled.weights.h5",
    ]
    assert [set(history.history) for history in space["ensemble_history"]] == [
        {"loss", "val_loss", "learning_rate"}
    ] * 5
    assert space["student_path"] == "deepstarr_distilled.weights.h5"
    assert np.isfinite(space["history"].history["val_loss"]).all()


def test_scenario_1_gives_an_ensemble_whose_members_disagree(after_scenario_1, monkeypatch):
    space, folder = after_scenario_1
    monkeypatch.chdir(folder)
    mean, uncertainty, members = space["distiller"].pred_ensemble(space["x_test"])
    assert (mean.shape, uncertainty.shape, members.shape) == ((10, 2), (10, 2), (5, 10, 2))
    np.testing.assert_allclose(uncertainty, np.log(members.var(axis=0, ddof=1)), rtol=1e-3)
    assert np.abs(np.diff(members, axis=0)).min(axis=(1, 2)).max() > 0
    results = space["distiller"].eval_student(space["x_test"], space["y_test"], space["student_model"])
    assert np.isfinite(np.array(results.activity)).all()


def test_scenario_2_ensemble_in_parallel(after_scenario_1, folder, monkeypatch):
    space, _ = after_scenario_1
    space = dict(space)
    monkeypatch.setattr(logging.getLogger("absl"), "disabled", True)
    for index in range(5):
        model = space["DeepSTARR"]()
        space["train_standard_fun"](model, space["x_train"], space["y_train"], (space["x_valid"], space["y_valid"]))
        # the form in which `keras` itself writes a file of this name
        model.save(folder / f"model_{index}.h5")
    exec(SCENARIO_2, space)
    _, _, members = space["distiller"].pred_ensemble(space["x_test"])
    np.testing.assert_allclose(members[4], model.predict(space["x_test"], verbose=0), rtol=1e-4, atol=1e-5)
    expected = np.mean((members.mean(axis=0) - space["y_test"]) ** 2, axis=0)
    np.testing.assert_allclose(space["ensemble_results"].mse, expected, rtol=1e-4)
    assert (folder / "student.weights.h5").is_file()


def test_the_short_examples(capsys):
    from degu.metrics import eval_regression
    from degu.utils import logvar, std

    rng = np.random.default_rng(0)
    space = {"eval_regression": eval_regression, "logvar": logvar, "std": std}
    space |= {"predictions": rng.normal(size=(9, 2)), "true_values": rng.normal(size=(9, 2))}
    exec(NEW_CALLS, space)
    assert "MSE, Pearson, Spearman:" in capsys.readouterr().out
    np.testing.assert_allclose(space["log_variance"], 2 * np.log(space["standard_deviation"]))
