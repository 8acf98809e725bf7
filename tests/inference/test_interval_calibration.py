"""The calibration that a study keeps gives new sequences the intervals that its evaluation measured."""

import json

import numpy as np
import pytest

from degu.ensemble import Prediction
from degu.errors import ConfigError, DataError
from degu.evaluation.calibration import Calibrator
from degu.evaluation.evidence import Evidence, own_std
from degu.inference import CALIBRATION, IntervalCalibration, prediction_columns, uncalibrated
from degu.inference.calibration import LEVELS
from degu.uncertainty import InfiniteIntervalWarning, Spread, logvar, row_digests, std

NAMES = ("a", "b")


def evidence(rows, seed, spread=std):
    """Normal errors; target a has an aleatoric column, target b has none and noise that nothing predicts."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(rows, 2))
    epistemic = rng.uniform(0.1, 0.6, (rows, 2))
    noise = np.stack([rng.uniform(0.2, 2.0, rows), np.full(rows, np.nan)], axis=1)
    true = np.hypot(epistemic, np.where(np.isnan(noise), 1.0, noise))
    prediction = Prediction(mean, spread.from_variance(epistemic**2), noise)
    measured = mean + true * rng.normal(size=true.shape)
    return Evidence(measured, {"student": prediction}, row_digests(rng.integers(0, 4, (rows, 30))))


CALIBRATED, NEW = evidence(1500, 0), evidence(4000, 1)
KEPT = IntervalCalibration.fit(CALIBRATED, std, NAMES)


def interval(rule, part=NEW, spread=std):
    prediction = part.predictions["student"]
    return rule.interval(prediction.mean, own_std(prediction, spread))


@pytest.mark.parametrize("method", ["conformal_absolute", "conformal_normalized", "variance_scaling"])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_intervals_are_those_that_the_evaluation_measured(method, level):
    expected = Calibrator("student", CALIBRATED, CALIBRATED, NEW, {}, std).intervals(method, [level])[level]
    found = interval(KEPT.rule("student", NAMES, level, method))
    np.testing.assert_allclose(found.lower, expected.lower, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.upper, expected.upper, rtol=1e-12, atol=1e-12)


def test_the_default_follows_what_the_model_predicts():
    rule = KEPT.rule("student", NAMES)
    assert (rule.confidence_level, rule.methods) == (0.9, ("conformal_normalized", "conformal_absolute"))
    found = interval(rule)
    inside = (found.lower <= NEW.measured) & (NEW.measured <= found.upper)
    np.testing.assert_allclose(inside.mean(axis=0), 0.9, atol=0.02)
    width = found.upper - found.lower
    assert np.ptp(width[:, 0]) > 3
    assert np.ptp(width[:, 1]) < 1e-9
    # and it is the narrower of both for each target
    for method in ("conformal_normalized", "conformal_absolute"):
        other = interval(KEPT.rule("student", NAMES, 0.9, method))
        assert (width.mean(axis=0) <= (other.upper - other.lower).mean(axis=0) + 1e-9).all()


def test_missing_measurements_are_left_out():
    measured = CALIBRATED.measured.copy()
    measured[100:, 1] = np.nan
    kept = IntervalCalibration.fit(CALIBRATED._replace(measured=measured), std, NAMES)
    assert [kept.models["student"][name].rows for name in NAMES] == [1500, 100]
    assert kept.models["student"]["a"] == KEPT.models["student"]["a"]
    with pytest.warns(InfiniteIntervalWarning, match="of .b. are infinite: .* 0.995 needs 199 .* has 100"):
        rule = kept.rule("student", NAMES, 0.995)
    assert np.isinf(interval(rule).upper).tolist()[0] == [False, True]


def test_json_keeps_everything(tmp_path):
    assert IntervalCalibration.load(tmp_path) is None
    (tmp_path / CALIBRATION).write_text(json.dumps(KEPT.to_dict()))
    assert IntervalCalibration.load(tmp_path) == KEPT
    assert KEPT.rows == 1500
    assert KEPT.digest != IntervalCalibration.fit(NEW, std, NAMES).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values | {"format": 2}, "expected a calibration of format 1, received 2"),
        (lambda values: values | {"models": [1]}, "received something else"),
        (lambda values: values | {"confidence_levels": [0.9]}, "expected a calibration of format"),
        (lambda values: {"models": {}}, "received something else"),
        (lambda values: _with_target(values, conformal_absolute=[1.0]), "1 quantiles of conformal_absolute"),
        (lambda values: _with_target(values, default="best"), "default 'best'"),
        (lambda values: _with_target(values, rows=None), "received something else"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path, change, message):
    path = tmp_path / CALIBRATION
    path.write_text(json.dumps(change(KEPT.to_dict())))
    with pytest.raises(DataError, match=message) as caught:
        IntervalCalibration.load(tmp_path)
    assert str(path) in str(caught.value)
    path.write_text("{")
    with pytest.raises(DataError, match="expected JSON"):
        IntervalCalibration.load(tmp_path)


def _with_target(values, **fields):
    target = values["models"]["student"]["a"] | fields
    return values | {"models": {"student": {"a": target}}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("student", NAMES, 90), "above 0 and below 1. Received: 90"),
        (("student", NAMES, 0.925), "whole percents .* Received: 0.925"),
        (("student", NAMES, 0.9, "conformal"), "no interval method 'conformal'. Did you mean 'conformal_"),
        (("ensemble", NAMES), "a calibration of ensemble for a, b. Received: one of student: a, b"),
        (("student", ("c",)), "a calibration of student for c"),
    ],
)
def test_what_was_not_calibrated_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        KEPT.rule(*arguments)


def test_a_level_that_is_not_on_the_grid_is_fine_for_a_normal_distribution():
    assert 0.925 not in LEVELS
    rule = KEPT.rule("student", NAMES, 0.925, "variance_scaling")
    np.testing.assert_allclose(rule.relative[0] / uncalibrated(NAMES, 0.925).relative[0], 1, atol=0.05)
    assert rule.relative[1] > 3


@pytest.mark.parametrize("spread", [std, logvar, Spread("var")])
def test_columns_stand_target_by_target_in_the_unit_of_the_targets(spread):
    part = evidence(5, 2, spread)
    prediction = part.predictions["student"]
    rule = KEPT.rule("student", NAMES)
    limit = np.array([prediction.epistemic[:, 0].min(), np.inf])
    columns = prediction_columns(prediction, NAMES, spread, rule, limit)
    assert list(columns) == [
        *("a_mean", "a_epistemic", "a_aleatoric", "a_lower", "a_upper", "a_out_of_range"),
        *("b_mean", "b_epistemic", "b_lower", "b_upper", "b_out_of_range"),
    ]
    plain = evidence(5, 2).predictions["student"]
    np.testing.assert_allclose(columns["b_epistemic"], plain.epistemic[:, 1])
    np.testing.assert_array_equal(columns["a_aleatoric"], prediction.aleatoric[:, 0])
    np.testing.assert_allclose(columns["a_upper"], interval(rule, evidence(5, 2)).upper[:, 0])
    assert columns["a_out_of_range"].sum() == 4
    assert not columns["b_out_of_range"].any()


def test_an_uncertainty_of_another_kind_gives_the_deviation_of_the_members():
    members = np.random.default_rng(0).normal(size=(4, 6, 2))
    prediction = Prediction(members.mean(axis=0), np.ptp(members, axis=0), None, members)
    columns = prediction_columns(prediction, NAMES, None, uncalibrated(NAMES))
    np.testing.assert_allclose(columns["a_epistemic"], members.std(axis=0, ddof=1)[:, 0])
    np.testing.assert_allclose(columns["b_upper"] - columns["b_mean"], 1.6448536 * columns["b_epistemic"])
    columns = prediction_columns(prediction._replace(members=None), NAMES, None, uncalibrated(NAMES))
    assert np.isnan(columns["a_lower"]).all()
    with pytest.raises(ValueError, match="Expected 3 targets"):
        prediction_columns(prediction, [*NAMES, "c"], None, uncalibrated(NAMES))
