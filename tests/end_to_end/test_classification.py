"""Binary labels end to end: probabilities, their spread, and a student that keeps to [0, 1]."""

import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, utils
from degu.data import detokenize
from degu.errors import EnsembleError
from degu.losses import BinaryCrossentropy, MaskedMSE
from degu.metrics import eval_classification, eval_regression
from degu.models.heads import Probability
from degu.train import train_standard_fun

MOTIF = (0, 2, 3)
RECIPE = {"batch_size": 32, "initial_lr": 0.01}


def net(num_outputs, head):
    def build():
        inputs = keras.Input((20, 4))
        x = keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(16, 3, activation="relu")(inputs))
        return keras.Model(inputs, head(keras.layers.Dense(8, activation="relu")(x), num_outputs))

    return build


def labelled(size, seed):
    """Random DNA; positive with AGT in it. One label in ten was not measured."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (size, 20), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, 3, axis=1)
    labels = (windows == MOTIF).all(axis=2).any(axis=1)[:, None].astype("float32")
    labels[rng.random(size) < 0.1] = np.nan
    return tokens, labels


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A distiller of three classifiers, and its student."""
    folder = tmp_path_factory.mktemp("classifier")
    train, valid = labelled(1500, 0), labelled(300, 1)
    ensembler = EnsemblerBase(net(1, Probability()), uncertainty_fun=utils.std)
    ensembler.train(
        *train, 3, train_standard_fun, valid, folder / "m", loss=BinaryCrossentropy(), max_epochs=8, **RECIPE
    )
    distiller = Distiller(ensembler, standardize=False)
    student = distiller.new_student(net(2, Probability().student(1)))
    distiller.distill_student(
        *train, student, train_standard_fun, valid, folder / "s", loss=MaskedMSE(), max_epochs=15, **RECIPE
    )
    return distiller, student


def test_ensemble_and_student_rank_and_call_unseen_sequences(taught):
    distiller, student = taught
    x, y = labelled(400, 2)
    evaluation = distiller.eval_ensemble(x, y, eval_classification)
    assert evaluation.ensemble.auroc > 0.95
    results = distiller.eval_student(x, y, student, eval_classification)
    assert results.activity.auroc > 0.95
    assert results.activity.accuracy > 0.85


def test_means_are_probabilities_and_spreads_are_compared_as_numbers(taught):
    distiller, student = taught
    x, y = labelled(400, 3)
    teaching, answer = distiller.ensembler.predict(x), distiller.predict_student(x, student)
    for mean in (*teaching.members, teaching.mean, answer.mean):
        assert mean.min() >= 0
        assert mean.max() <= 1
    results = distiller.eval_student(x, y, student, eval_classification)
    for got, pair in (
        (results.uncertainty, (answer.epistemic, teaching.epistemic)),
        (results.agreement, (answer.mean, teaching.mean)),
    ):
        np.testing.assert_allclose(np.array(got), np.array(eval_regression(*pair)), rtol=1e-5)
    assert results.agreement.pearson_r > 0.9


def test_a_student_of_probabilities_is_not_standardised(taught, tmp_path):
    distiller, student = taught
    with pytest.raises(EnsembleError, match="because its targets are standardised"):
        Distiller(distiller.ensembler).distill_student(
            *labelled(50, 4), student, train_standard_fun, save_prefix=tmp_path / "s"
        )


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "labels.tsv"
    lines = ["sequence\tsplit\tpositive\tstrength"]
    for seed, (split, size) in enumerate({"train": 200, "valid": 60, "test": 60}.items()):
        tokens, labels = labelled(size, seed)
        for sequence, label in zip(detokenize(tokens), labels[:, 0], strict=True):
            cell = "" if np.isnan(label) else f"{label:.0f}"
            lines.append(f"{sequence}\t{split}\t{cell}\t{sequence.count('G')}")
    path.write_text("\n".join(lines) + "\n")
    return path


def arguments(table, *targets):
    """The recipe of the E. coli promoters with other data."""
    return [
        "experiment=ecoli_active",
        f"data.path={table}",
        f"data.targets=[{','.join(targets)}]",
        "model.filters=[4]",
        "model.dense=4",
        "ensemble.num_ensemble=2",
        "trainer.max_epochs=2",
        "distill.trainer.max_epochs=2",
    ]


def test_the_recipe_gives_a_table_of_classification_metrics(degu_run, table):
    (study,) = degu_run(*arguments(table, "positive"))
    assert study.objective["metric"] == "valid/classification/auroc/student/mean"
    for row in ("single_mean", "ensemble", "student"):
        assert 0 <= study.metrics[f"test/classification/auroc/{row}/positive"] <= 1
    assert study.metrics["test/epistemic/mse/student/positive"] >= 0
    assert "AUROC" in study.table
    assert not any(key.startswith("test/regression/") for key in study.metrics)


def test_values_that_are_no_labels_are_refused_by_name(degu_run, table):
    with pytest.raises(AssertionError, match="target 'strength': expected labels 0 and 1"):
        degu_run(*arguments(table, "positive", "strength"))
