"""Measurement noise end to end: learnt from single measurements, or from replicates, and passed on to the student."""

import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, utils
from degu.data import synthetic
from degu.data.motif_grammar import MotifGrammar
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


def test_more_data_leave_less_disagreement_and_the_same_noise(large, folder):
    data, _, prediction = large
    _, few = trained(1000, folder)
    uncertain = few.predict(data.test.tokens)
    assert prediction.epistemic.mean() < 0.9 * uncertain.epistemic.mean()
    assert prediction.aleatoric.mean() == pytest.approx(uncertain.aleatoric.mean(), rel=0.25)


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
