"""Measurement noise end to end: learnt from single measurements, or from replicates, and passed on to the student."""

import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, utils
from degu.data import Split, synthetic
from degu.data.motif_grammar import MotifGrammar
from degu.evaluation.calibration import Calibrator
from degu.evaluation.curves import calibration_curves
from degu.evaluation.evidence import evidence_of
from degu.evaluation.truth import truth_metrics
from degu.losses import GaussianNLL
from degu.models.heads import LINEAR, Gaussian
from degu.train import train_standard_fun

LENGTH, NOISE = 40, 0.5
RECIPES = ["heteroscedastic", "evidential"]
TINY = [
    "data.num_train=96",
    "data.num_valid=30",
    "data.num_test=30",
    "data.length=40",
    "model.filters=[4]",
    "model.dense=4",
    "ensemble.num_ensemble=2",
    "trainer.max_epochs=2",
    "distill.trainer.max_epochs=2",
]


def net(num_outputs=1, head=LINEAR):
    """Motif counts and the strongest match: enough for the simulated grammar, and quick."""

    def build():
        inputs = keras.Input((LENGTH, 4))
        x = keras.layers.Conv1D(48, 8, activation="relu")(inputs)
        pools = [keras.layers.GlobalAveragePooling1D()(x) * 10.0, keras.layers.GlobalMaxPooling1D()(x)]
        x = keras.layers.Dense(32, activation="relu")(keras.layers.Concatenate()(pools))
        return keras.Model(inputs, head(x, num_outputs))

    return build


def trained(num_train, folder):
    """An ensemble of three that learns mean and noise from single measurements."""
    data = synthetic(num_train, 500, 500, LENGTH, num_targets=1, noise=NOISE)
    ensembler = EnsemblerBase(net(head=Gaussian("std")), uncertainty_fun=utils.std)
    ensembler.train(
        data.train.tokens,
        data.train.targets,
        3,
        train_standard_fun,
        (data.valid.tokens, data.valid.targets),
        folder / str(num_train),
        standardize=True,
        loss=GaussianNLL("std"),
        max_epochs=20,
        batch_size=128,
        initial_lr=0.005,
        es_patience=8,
        lr_patience=3,
        lr_decay=0.3,
    )
    return data, ensembler


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("members")


@pytest.fixture(scope="module")
def large(folder):
    """An ensemble trained on 8000 sequences, its data, and its prediction of the test split."""
    data, ensembler = trained(8000, folder)
    return data, ensembler, ensembler.predict(data.test.tokens)


def truth(tokens):
    grammar = MotifGrammar(LENGTH, 1, NOISE)
    return grammar.mean(tokens)[:, 0], grammar.noise_sd(tokens)[:, 0]


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


def test_true_noise_is_recovered_from_single_measurements(large):
    data, _, prediction = large
    mean, noise_sd = truth(data.test.tokens)
    assert correlation(prediction.aleatoric[:, 0], noise_sd) > 0.9
    assert correlation(prediction.mean[:, 0], mean) > 0.9
    assert prediction.aleatoric.mean() == pytest.approx(noise_sd.mean(), rel=0.1)


def test_calibrated_intervals_hold_what_they_promise_of_new_measurements(large):
    """The calibration curve lies in the band of chance after calibration; epistemic alone covers far too little."""
    data, ensembler, _ = large
    rng = np.random.default_rng(5)
    tokens = MotifGrammar(LENGTH, 1, NOISE).sample(4000, rng)
    mean, noise_sd = truth(tokens)
    measured = (mean + noise_sd * rng.standard_normal(len(mean)))[:, None]
    rows = np.array_split(np.arange(len(tokens)), 2)
    drawn = Split(tokens, measured, np.arange(len(tokens)).astype(str))
    every = evidence_of(drawn, {"ensemble": ensembler.predict(tokens)}, utils.std)
    before, after = (every.select(part) for part in rows)
    valid = evidence_of(data.valid, {"ensemble": ensembler.predict(data.valid.tokens)}, utils.std)
    std = Calibrator("ensemble", valid, before, after, {}, utils.std).total_std()
    answer = after.predictions["ensemble"]
    curve = calibration_curves(answer.mean, std, after.measured, ["a"])["a"]
    inside = np.array(curve["lower"]) <= curve["observed"], np.array(curve["observed"]) <= curve["upper"]
    assert np.all(inside), curve
    alone = calibration_curves(answer.mean, answer.epistemic, after.measured, ["a"])["a"]
    assert alone["observed"][-2] < 0.6, "of the 90 % that epistemic intervals claim"


def test_more_data_leave_less_disagreement_less_error_and_the_same_noise(large, folder):
    data, _, prediction = large
    _, few = trained(1000, folder)
    mean, noise_sd = (values[:, None] for values in truth(data.test.tokens))
    much, little = (
        truth_metrics(answer, utils.std, mean, noise_sd, ["a"])
        for answer in (prediction, few.predict(data.test.tokens))
    )
    assert prediction.epistemic.mean() < 0.9 * few.predict(data.test.tokens).epistemic.mean()
    assert much["mean_rmse/a"] < 0.9 * little["mean_rmse/a"]
    for found in (much, little):
        assert found["aleatoric_ratio/a"] == pytest.approx(1, abs=0.25)
        assert 0.3 < found["epistemic_ratio/a"] < 1.1, "members agree on a part of their errors"
    assert much["aleatoric_pearson_r/a"] > 0.9


def test_the_student_inherits_the_noise(large, folder):
    data, ensembler, prediction = large
    distiller = Distiller(ensembler)
    student = distiller.new_student(net(distiller.columns.total))
    distiller.distill_student(
        data.train.tokens[:4000],
        data.train.targets[:4000],
        student,
        train_standard_fun,
        (data.valid.tokens, data.valid.targets),
        folder / "student",
        max_epochs=12,
        batch_size=128,
        initial_lr=0.005,
    )
    answer = distiller.predict_student(data.test.tokens, student)
    assert correlation(answer.aleatoric[:, 0], prediction.aleatoric[:, 0]) > 0.9
    assert correlation(answer.aleatoric[:, 0], truth(data.test.tokens)[1]) > 0.85


@pytest.fixture(scope="module")
def studies(degu_run):
    """A tiny study of each recipe on simulated data with replicates."""
    arguments = ["data=synthetic", *TINY, "data.num_replicates=2"]
    return dict(zip(RECIPES, degu_run("-m", f"experiment={','.join(RECIPES)}", *arguments), strict=True))


@pytest.mark.parametrize("recipe", RECIPES)
def test_noise_stands_in_results_and_table(studies, recipe):
    study = studies[recipe]
    for target in ("activity_0", "activity_1", "mean"):
        for row in ("ensemble", "student"):
            assert -1 <= study.metrics[f"test/aleatoric/pearson_r/{row}/{target}"] <= 1
        assert study.metrics[f"test/aleatoric_agreement/mse/student/{target}"] >= 0
    assert "predicted noise against replicates" in study.table
    assert (study.folder / "figures" / "comparison.png").is_file()
    assert (study.folder / "weights" / "member_0.units.json").is_file()


def test_replicates_of_one_target(degu_run):
    head = ["model.head._target_=degu.models.heads.Replicates", "+model.head.of=[1]"]
    (study,) = degu_run("experiment=smoke", *TINY, *head, "data.num_replicates=3")
    aleatoric = {key.split("/")[4] for key in study.metrics if key.startswith("test/aleatoric/")}
    assert aleatoric == {"activity_1", "mean"}
    assert not list((study.folder / "weights").glob("*.units.json")), "the units are folded into the weights"
