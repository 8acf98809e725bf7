import json
from pathlib import Path

import numpy as np
import pytest

from degu.metrics import Bootstrap, eval_regression
from degu.report.arrays import HeldOut, read_test_arrays
from degu.report.ceiling import noise_ceilings
from degu.report.scores import Gain, Score, compare_scores
from degu.report.study import Study, read_study
from degu.report.words import number, result_sentence


def test_intervals_are_those_of_resampled_sequences(make_study):
    folder = make_study()
    arrays = read_test_arrays(folder)
    comparison = compare_scores(read_study(folder), Bootstrap(200, seed=3))
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(200):
        rows = rng.integers(len(arrays.measured), size=len(arrays.measured))
        means = (arrays.student.mean[rows], arrays.ensemble.mean[rows], *arrays.ensemble.members[:, rows])
        drawn.append([eval_regression(mean, arrays.measured[rows]).pearson_r for mean in means])
    student, ensemble, *members = np.moveaxis(np.array(drawn), 1, 0)
    single = np.mean(members, axis=0)
    score = comparison.scores["pearson_r/student/a"]
    assert (score.low, score.high) == pytest.approx(Bootstrap(200).interval(student[:, 0]))
    gain = comparison.gains["mean"]
    difference = (ensemble - single).mean(axis=1)
    assert (gain.ensemble.low, gain.ensemble.high) == pytest.approx(Bootstrap(200).interval(difference))
    kept = ((student - single).mean(axis=1)) / difference
    assert (gain.kept.low, gain.kept.high) == pytest.approx(Bootstrap(200).interval(kept))


def test_a_value_that_the_arrays_do_not_give_has_no_interval(make_study):
    folder = make_study()
    results = json.loads((folder / "results.json").read_text())
    results["metrics"]["test/regression/mse/student/a"] += 0.01
    (folder / "results.json").write_text(json.dumps(results))
    scores = compare_scores(read_study(folder)).scores
    assert scores["mse/student/a"] == Score(results["metrics"]["test/regression/mse/student/a"])
    assert scores["mse/student/b"].low is not None
    assert scores["mse/student/mean"].low is None


def test_epistemic_columns_are_kept_as_standard_deviations(make_study):
    arrays = read_test_arrays(make_study())
    np.testing.assert_allclose(arrays.ensemble.epistemic, arrays.ensemble.members.std(axis=0, ddof=1))


@pytest.mark.parametrize(
    ("data", "replicates"),
    [("{num_replicates: 2}", 2), ("{replicates: {a: [x, y, z]}}", 3), ("{num_replicates: 0}", None)],
)
def test_ceiling_of_simulated_noise(make_study, data, replicates):
    folder = make_study()
    (folder / "config.yaml").write_text(f"data: {data}\n")
    ceiling = noise_ceilings(read_study(folder))["a"]
    noise = 0.04 / (replicates or 1)
    variance = np.nanvar(read_test_arrays(folder).measured[:, 0])
    assert ceiling.mse == pytest.approx(noise)
    assert ceiling.pearson_r == pytest.approx(np.sqrt(1 - noise / variance), rel=1e-5)
    assert ceiling.replicates == replicates


def test_a_perfect_model_reaches_the_ceiling():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20_000, 1))
    replicates = truth + rng.normal(size=(20_000, 2))
    arrays = HeldOut(
        ("a",), replicates.mean(axis=1, keepdims=True), replicates.std(axis=1, ddof=1)[:, None], *[None] * 2
    )
    keys = {"test/regression/pearson_r/single_mean/a": 0.0}
    config = {"data": {"num_replicates": 2}}
    study = Study(Path(), {"metrics": keys, "members": 2}, {}, {}, {}, config, "", {}, arrays)
    (ceiling,) = noise_ceilings(study).values()
    reached = eval_regression(truth, arrays.measured)
    assert ceiling.pearson_r == pytest.approx(float(reached.pearson_r[0]), abs=0.01)
    assert ceiling.mse == pytest.approx(float(reached.mse[0]), rel=0.05)


UP, DOWN, FLAT = Score(0.1, 0.05, 0.15), Score(-0.1, -0.15, -0.05), Score(0.01, -0.05, 0.06)


@pytest.mark.parametrize(
    ("gain", "parts"),
    [
        (
            Gain(UP, UP, DOWN, Score(0.6, 0.4, 0.8)),
            ["better than a single", "keeps 60 % of that gain (95 % interval 40 %"],
        ),
        (Gain(UP, FLAT, DOWN, Score(0.1, -0.5, 0.6)), ["keeps no clear part of that gain: 10 %"]),
        (Gain(UP, DOWN, DOWN, Score(-1.0, -1.5, -0.5)), ["the student, one network, loses: it is worse than a single"]),
        (Gain(UP, UP, UP, Score(2.0, 1.5, 2.5)), ["even better than the ensemble by 0.1000"]),
        (Gain(FLAT, FLAT, FLAT, None), ["neither clearly better nor clearly worse", "which is not clear"]),
        (Gain(DOWN, FLAT, FLAT, None), ["worse than a single model", "a difference of 0.1000 (95 % interval 0.0500"]),
        (Gain(FLAT, FLAT, DOWN, None), ["is worse than the ensemble by 0.1000"]),
    ],
)
def test_result_in_words(make_study, gain, parts):
    sentence = result_sentence(read_study(make_study()), {"mean": gain})
    assert sentence.endswith(".")
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (-2.0, "-2.0000"), (1e-5, "1e-05"), (12345.6, "1.23e+04"), (float("nan"), "–")],
)
def test_numbers(value, text):
    assert number(value) == text
