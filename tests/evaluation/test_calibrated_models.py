import json
import warnings

import numpy as np
import pytest
from scipy import stats

from degu.ensemble import Prediction
from degu.errors import CalibrationError
from degu.evaluation.assessment import assess_uncertainty, calibrate
from degu.evaluation.calibration import METHODS, Calibrator
from degu.evaluation.curves import calibration_curves, coverage_curves, interval_rows, plain, sparsification_curves
from degu.evaluation.evidence import Evidence, drawn_for_calibration, own_std, usable
from degu.metrics import Bootstrap, Interval, eval_gaussian
from degu.uncertainty import Spread

STD = Spread("std")
NAMES = ("a", "b")
LEVELS = (0.8, 0.9)


def evidence(size, seed, aleatoric=True):
    """Two models whose standard deviations are three times too small; the noise grows with the activity of `a`."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(size, 2))
    true = np.stack([np.exp(0.5 * mean[:, 0]), rng.uniform(1.5, 2.5, size)], axis=1)
    measured = mean + true * rng.normal(size=(size, 2))
    measured[: size // 10, 1] = np.nan
    parts = true / 3 * [0.6, 0.6], true / 3 * [0.8, np.nan]
    prediction = Prediction(mean, parts[0], parts[1] if aleatoric else None)
    rows = np.array([f"{seed} {row}" for row in range(size)])
    return Evidence(measured, {"ensemble": prediction, "student": prediction}, rows)


VALID, CALIBRATION, EVALUATED = evidence(900, 1), evidence(3000, 2), evidence(4000, 3)
USED = {"valid": VALID.digests}


def calibrator(row="ensemble", **changes):
    settings = {"valid": VALID, "calibration": CALIBRATION, "evaluation": EVALUATED, "used": USED, "spread": STD}
    return Calibrator(row, **(settings | changes))


@pytest.fixture(scope="module")
def calibrated():
    return calibrate({row: calibrator(row) for row in ("ensemble", "student")}, list(METHODS), LEVELS)


def share_inside(interval, rows=slice(None)):
    measured = EVALUATED.measured[rows]
    inside = (interval.lower[rows] <= measured) & (measured <= interval.upper[rows])
    return [inside[np.isfinite(measured[:, target]), target].mean() for target in (0, 1)]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_covers_what_it_promises(calibrated, method):
    for level, interval in calibrated.intervals[method]["student"].items():
        # four standard errors of calibration and evaluation together
        error = 4 * np.sqrt(level * (1 - level) * (1 / 2700 + 1 / 3600))
        np.testing.assert_allclose(share_inside(interval), level, atol=error)
    assert list(calibrated.intervals[method]["student"]) == list(LEVELS)


def test_mondrian_intervals_cover_in_the_highest_bin_where_one_width_does_not(calibrated):
    high = EVALUATED.predictions["ensemble"].mean[:, 0] >= calibrated.edges["ensemble"][-1, 0]
    one_width, binned = (
        share_inside(calibrated.intervals[f"conformal_{method}"]["ensemble"][0.9], high)[0]
        for method in ("absolute", "mondrian")
    )
    assert one_width < 0.85
    assert binned == pytest.approx(0.9, abs=0.035)


def test_calibrated_total_is_the_true_deviation(calibrated):
    true = EVALUATED.predictions["ensemble"].epistemic * 3 / 0.6
    np.testing.assert_allclose(calibrated.stds["ensemble"], true, rtol=0.15)


def test_the_own_deviation_is_total_where_there_is_one():
    std = own_std(EVALUATED.predictions["ensemble"], STD)
    epistemic = EVALUATED.predictions["ensemble"].epistemic
    np.testing.assert_allclose(std, epistemic * [1 / 0.6, 1.0])
    np.testing.assert_array_equal(
        own_std(evidence(5, 0, aleatoric=False).predictions["student"], STD),
        evidence(5, 0).predictions["student"].epistemic,
    )


def test_levels_without_enough_rows_are_left_out():
    few = calibrator(calibration=CALIBRATION.select(np.arange(400, 412)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(few.intervals("conformal_absolute", (0.5, 0.9, 0.95))) == [0.5, 0.9]


def test_rows_of_early_stopping_cannot_be_calibrated_on():
    with pytest.raises(CalibrationError, match="rows of 'valid' too"):
        calibrator(calibration=VALID).intervals("isotonic", LEVELS)
    with pytest.raises(CalibrationError, match="not calibrated on"):
        calibrator(evaluation=CALIBRATION).total_std()


def test_assessment_names_every_family_and_agrees_with_the_metrics(calibrated):
    found = assess_uncertainty("test", NAMES, EVALUATED, STD, calibrated, LEVELS, Bootstrap(10))
    families = {key.split("/")[1] for key in found.metrics}
    kinds = {f"uncertainty_{kind}" for kind in ("epistemic", "aleatoric", "total", "total_calibrated")}
    assert families == kinds | set(METHODS)
    gaussian = eval_gaussian(
        EVALUATED.predictions["student"].mean, calibrated.stds["student"], EVALUATED.measured, NAMES, LEVELS
    )
    assert found.metrics["test/uncertainty_total_calibrated/nll/student/b"] == gaussian["nll/b"]
    assert found.metrics["test/uncertainty_total_calibrated/nll/student_minus_ensemble/b"] == 0, "both are one model"
    assert found.metrics["test/uncertainty_epistemic/coverage_90/ensemble/a"] < 0.5
    low, high = (
        found.metrics[f"test/uncertainty_total_calibrated/coverage_90_{bound}/student/a"] for bound in ("low", "high")
    )
    assert low < found.metrics["test/uncertainty_total_calibrated/coverage_90/student/a"] < high
    inside = share_inside(calibrated.intervals["isotonic"]["student"][0.8])
    assert found.metrics["test/isotonic/coverage_80/student/b"] == pytest.approx(inside[1])
    json.dumps(found.curves, allow_nan=False)


def test_curves_have_the_agreed_form(calibrated):
    curves = assess_uncertainty("test", NAMES, EVALUATED, STD, calibrated, LEVELS).curves
    assert curves["calibration_kind"] == {"ensemble": "total_calibrated", "student": "total_calibrated"}
    assert curves["coverage"]["student"].keys() == {"epistemic", "aleatoric", "total", "total_calibrated"}
    assert curves["coverage"]["student"]["aleatoric"].keys() == {"a"}
    assert curves["coverage"]["student"]["epistemic"]["b"].keys() == {"level", "coverage", "width"}
    for target in NAMES:
        curve = curves["calibration"]["ensemble"][target]
        observed, lower, upper = (np.array(curve[key]) for key in ("observed", "lower", "upper"))
        assert ((lower <= observed) & (observed <= upper)).all()
        before = np.array(curves["calibration_before"]["ensemble"][target]["observed"])
        assert (before[5:] < lower[5:]).all()
    rows = {(row["row"], row["method"], row["target"], row["level"], row["bin"]): row for row in curves["conformal"]}
    assert len(rows) == len(curves["conformal"]) == 2 * len(METHODS) * 2 * 2 * 4
    whole, *bins = (rows["student", "isotonic", "a", 0.8, index] for index in (None, 1, 2, 3))
    assert whole["rows"] == sum(part["rows"] for part in bins) == 4000
    assert whole["coverage"] == pytest.approx(sum(part["coverage"] * part["rows"] for part in bins) / 4000)


def test_without_calibration_there_are_the_curves_as_predicted():
    curves = assess_uncertainty("test", NAMES, EVALUATED, STD, None, LEVELS).curves
    assert curves["calibration"] == curves["calibration_before"]
    assert curves["conformal"] == []
    assert "total_calibrated" not in curves["coverage"]["ensemble"]


def test_coverage_and_width_of_normal_errors():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 2.0, (20000, 1))
    measured = std * rng.normal(size=std.shape)
    curve = coverage_curves(0 * std, std, measured, ["y"])["y"]
    np.testing.assert_allclose(curve["coverage"], curve["level"], atol=0.02)
    half = stats.norm.ppf(0.5 + np.array(curve["level"]) / 2)
    np.testing.assert_allclose(curve["width"], 2 * half * std.mean(), rtol=1e-5)
    curve = calibration_curves(0 * std, std, measured, ["y"])["y"]
    assert (
        np.abs(np.subtract(curve["observed"], curve["expected"])).max()
        < np.subtract(curve["upper"], curve["expected"])[5]
    )


def test_sparsification_of_the_true_order_is_the_oracle():
    error = np.random.default_rng(0).normal(size=(50, 1))
    curve = sparsification_curves(0 * error, np.abs(error), error, ["y"])["y"]
    assert curve["error"] == curve["oracle"]
    assert curve["error"][-1] < 0.2 < 1 == curve["random"][-1] == curve["error"][0]
    assert sparsification_curves(error, np.abs(error), error, ["y"]) == {}


def test_interval_rows_count_by_hand():
    interval = Interval(np.zeros((4, 1)), np.ones((4, 1)))
    measured = np.array([[0.5], [2.0], [np.nan], [1.0]])
    rows = interval_rows("student", "mine", {0.9: interval}, measured, ["y"], np.array([[0], [0], [1], [1]]))
    assert [(row["bin"], row["rows"], row["coverage"]) for row in rows] == [(None, 3, 2 / 3), (1, 2, 0.5), (2, 1, 1.0)]
    for row, inside in zip(rows, (2, 1, 1), strict=True):
        bounds = stats.binomtest(inside, row["rows"]).proportion_ci(method="exact")
        assert (row["coverage_low"], row["coverage_high"]) == pytest.approx((bounds.low, bounds.high))
        assert row["width"] == 1.0


def test_the_draw_depends_on_sequences_and_not_on_their_order():
    digests = np.array([f"{row // 2}" for row in range(200)])
    drawn = drawn_for_calibration(digests, 0.3, 0)
    assert drawn.sum() == 60
    np.testing.assert_array_equal(drawn[::2], drawn[1::2])
    np.testing.assert_array_equal(drawn_for_calibration(digests[::-1], 0.3, 0), drawn[::-1])
    assert (drawn_for_calibration(digests, 0.3, 1) != drawn).any()
    with pytest.raises(ValueError, match="fraction above 0 and below 1"):
        drawn_for_calibration(digests, 1.0, 0)


def test_a_students_negative_noise_is_floored():
    noise = np.array([[-1.0, np.nan], [2.0, np.nan]])
    floored = usable(Prediction(noise, noise, noise), STD).aleatoric
    np.testing.assert_array_equal(floored, [[STD.floor, np.nan], [2.0, np.nan]])


def test_what_is_not_finite_is_null():
    assert plain([1.0, np.inf, np.nan, 1 / 3]) == [1.0, None, None, 0.333333]
