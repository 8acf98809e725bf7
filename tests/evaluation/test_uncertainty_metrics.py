import numpy as np
import pytest

from degu.ensemble import Prediction
from degu.evaluation import predicted_stds, uncertainty_metrics
from degu.metrics import Bootstrap, Interval, eval_gaussian, eval_intervals
from degu.uncertainty import Spread, quantile_edges

RNG = np.random.default_rng(0)
NAMES = ("a", "b")
MEASURED = RNG.normal(size=(80, 2))
MEMBERS = MEASURED + RNG.normal(size=(4, 80, 2))
NOISE = RNG.uniform(0.3, 1.5, (80, 2))
LEVELS = (0.8, 0.9)
LOGVAR = Spread("logvar")


def predictions(spread=LOGVAR, noise=NOISE):
    ensemble = Prediction(MEMBERS.mean(axis=0), spread(MEMBERS), noise, MEMBERS)
    return {"ensemble": ensemble, "student": Prediction(MEMBERS[0], spread(1.2 * MEMBERS), noise)}


def evaluated(models=None, **arguments):
    arguments = {"spread": LOGVAR, "confidence_levels": LEVELS} | arguments
    return uncertainty_metrics("test", NAMES, MEASURED, models or predictions(), **arguments)


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_columns_become_standard_deviations(unit):
    stds = predicted_stds(predictions(Spread(unit))["ensemble"], Spread(unit))
    np.testing.assert_allclose(stds["epistemic"], MEMBERS.std(axis=0, ddof=1))
    np.testing.assert_allclose(stds["total"] ** 2, MEMBERS.var(axis=0, ddof=1) + NOISE**2)
    assert list(stds) == ["epistemic", "aleatoric", "total"]


def test_every_kind_and_row_is_evaluated_as_a_normal_distribution():
    flat = evaluated()
    for row, prediction in predictions().items():
        for kind, std in predicted_stds(prediction, LOGVAR).items():
            expected = eval_gaussian(prediction.mean, std, MEASURED, NAMES, LEVELS)
            for key, value in expected.items():
                metric, _, target = key.partition("/")
                assert flat.pop(f"test/uncertainty_{kind}/{metric}/{row}/{target}") == value
    assert not flat


@pytest.mark.parametrize(
    ("noise", "shown"), [(None, {"epistemic"}), (NOISE * [1, np.nan], {"epistemic", "aleatoric", "total"})]
)
def test_targets_without_an_aleatoric_column_have_no_total(noise, shown):
    flat = evaluated(predictions(noise=noise))
    assert {key.split("/")[1].removeprefix("uncertainty_") for key in flat} == shown
    for kind in shown:
        targets = {key.split("/")[4] for key in flat if key.startswith(f"test/uncertainty_{kind}/")}
        assert targets == ({"a", "b", "mean"} if kind == "epistemic" else {"a", "mean"})
    assert np.isfinite(list(flat.values())).all()


def test_intervals_are_a_family_of_their_own():
    intervals = {0.9: Interval(MEASURED - 1, MEASURED + [1.0, -0.5])}
    flat = evaluated(intervals={"conformal": {"student": intervals}})
    for key, value in eval_intervals(intervals, MEASURED, NAMES).items():
        metric, _, target = key.partition("/")
        assert flat[f"test/conformal/{metric}/student/{target}"] == value
    assert flat["test/conformal/coverage_90/student/b"] == 0


def test_bins_are_those_of_each_models_prediction():
    models = predictions()
    edges = {row: quantile_edges(prediction.mean, 3) for row, prediction in models.items()}
    intervals = {0.9: Interval(models["student"].mean - 1, models["student"].mean + 1)}
    flat = evaluated(edges=edges, intervals={"conformal": {"student": intervals}})
    for row, prediction in models.items():
        low, high = edges[row][:, 0]
        middle = (low <= prediction.mean[:, 0]) & (prediction.mean[:, 0] < high)
        columns = prediction.mean[middle, 0], NOISE[middle, 0], MEASURED[middle, 0]
        expected = eval_gaussian(*columns, ["a"], LEVELS)
        for metric in ("nll", "ause", "coverage_90"):
            assert flat[f"test/uncertainty_aleatoric_bin_2/{metric}/{row}/a"] == pytest.approx(expected[f"{metric}/a"])
    inside = np.abs(MEASURED[middle, 0] - models["student"].mean[middle, 0]) <= 1
    assert flat["test/conformal_bin_2/coverage_90/student/a"] == pytest.approx(inside.mean())
    assert {key.split("/")[1] for key in flat if "conformal" in key} == {"conformal"} | {
        f"conformal_bin_{index}" for index in (1, 2, 3)
    }


def test_bootstrap_compares_the_models_in_pairs():
    plain, flat = evaluated(), evaluated(bootstrap=Bootstrap(60))
    assert plain.items() <= flat.items()
    prefix = "test/uncertainty_total"
    difference = flat[f"{prefix}/crps/student/a"] - flat[f"{prefix}/crps/ensemble/a"]
    assert flat[f"{prefix}/crps/student_minus_ensemble/a"] == pytest.approx(difference)
    low, high = (flat[f"{prefix}/crps_{bound}/student_minus_ensemble/a"] for bound in ("low", "high"))
    assert low < difference < high
    widths = [
        flat[f"{prefix}/crps_high/{row}/a"] - flat[f"{prefix}/crps_low/{row}/a"] for row in ("ensemble", "student")
    ]
    assert high - low < np.hypot(*widths)


def test_paired_difference_of_a_model_with_itself_is_zero():
    same = dict.fromkeys(("one", "two"), predictions()["ensemble"])
    flat = evaluated(same, bootstrap=Bootstrap(20))
    zeros = [value for key, value in flat.items() if "two_minus_one" in key]
    assert len(zeros) > 100
    assert not np.any(zeros)


def test_unmeasured_rows_are_left_out():
    measured = MEASURED.copy()
    measured[:30, 1] = np.nan
    shorter = {
        row: Prediction(*(None if part is None else part[30:] for part in prediction[:3]))
        for row, prediction in predictions().items()
    }
    arguments = {"spread": LOGVAR, "confidence_levels": LEVELS}
    got = uncertainty_metrics("test", NAMES, measured, predictions(), **arguments)
    for key, value in uncertainty_metrics("test", NAMES, MEASURED[30:], shorter, **arguments).items():
        if key.endswith("/b"):
            assert got[key] == value
