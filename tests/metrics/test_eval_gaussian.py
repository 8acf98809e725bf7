import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uncertainty_toolbox import metrics_calibration, metrics_scoring_rule

from degu.metrics import GAUSSIAN_METRICS, Bootstrap, UndefinedMetricWarning, eval_gaussian

RNG = np.random.default_rng(5)
TARGETS = RNG.normal(size=(120, 2))
MEAN = TARGETS + RNG.normal(size=(120, 2))
STD = RNG.uniform(0.5, 1.5, (120, 2))
NAMES = ["Dev", "Hk"]
SCALE_FREE = {"miscalibration_area", "ence", "uncertainty_error_spearman", "ause", "aurg", "coverage_80"}


def test_values_are_those_of_uncertainty_toolbox():
    flat = eval_gaussian(MEAN, STD, TARGETS, NAMES)
    for k, name in enumerate(NAMES):
        column = MEAN[:, k], STD[:, k], TARGETS[:, k]
        assert flat[f"nll/{name}"] == pytest.approx(metrics_scoring_rule.nll_gaussian(*column))
        assert flat[f"crps/{name}"] == pytest.approx(metrics_scoring_rule.crps_gaussian(*column))
        for level in (0.5, 0.8, 0.9, 0.95, 0.99):
            observed = metrics_calibration.get_proportion_in_interval(*column, level)
            assert flat[f"coverage_{100 * level:g}/{name}"] == pytest.approx(observed)
    assert flat["crps/mean"] == pytest.approx((flat["crps/Dev"] + flat["crps/Hk"]) / 2)


def test_unmeasured_rows_leave_their_own_column_only():
    targets = TARGETS.copy()
    targets[:50, 1] = np.nan
    got, whole = eval_gaussian(MEAN, STD, targets, NAMES), eval_gaussian(MEAN, STD, TARGETS, NAMES)
    shorter = eval_gaussian(MEAN[50:, 1], STD[50:, 1], TARGETS[50:, 1], ["Hk"])
    for key, value in got.items():
        if not key.endswith("/mean"):
            assert value == (whole if key.endswith("/Dev") else shorter)[key]


def test_bootstrap_adds_bounds_around_the_value():
    flat = eval_gaussian(MEAN, STD, TARGETS, NAMES, bootstrap=Bootstrap(100))
    assert eval_gaussian(MEAN, STD, TARGETS, NAMES).items() <= flat.items()
    for metric in ("nll", "crps", "uncertainty_error_spearman", "coverage_90", "width_90"):
        assert flat[f"{metric}_low/Hk"] <= flat[f"{metric}/Hk"] <= flat[f"{metric}_high/Hk"]
    assert "nll_low/mean" not in flat


def reasons(caught):
    return {str(entry.message).partition(" of ")[0]: str(entry.message).partition(": ")[2] for entry in caught}


def test_zero_standard_deviation_is_a_point_mass():
    with pytest.warns(UndefinedMetricWarning) as caught:
        flat = eval_gaussian([0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.5, 3.0], ["a"])
    assert reasons(caught) == dict.fromkeys(("nll", "ence"), "a standard deviation is 0")
    assert flat["coverage_99/a"] == pytest.approx(2 / 3)
    assert np.isnan(flat["nll/a"])
    assert np.isfinite([flat[f"{metric}/a"] for metric in ("crps", "miscalibration_area", "ause", "width_90")]).all()


def test_constant_measurements_are_data_like_any_other():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flat = eval_gaussian(MEAN[:, 0], STD[:, 0], np.zeros(120))
    assert np.isfinite(list(flat.values())).all()


def test_one_row_and_none():
    targets = np.array([[1.0, np.nan], [np.nan, np.nan]])
    with pytest.warns(UndefinedMetricWarning) as caught:
        flat = eval_gaussian(np.zeros((2, 2)), np.ones((2, 2)), targets, NAMES)
    messages = {str(entry.message) for entry in caught}
    assert "ause of 'Dev' is undefined: 1 measured rows, at least 2 are needed" in messages
    assert {f"{metric} of 'Hk' is undefined: no measured rows" for metric in GAUSSIAN_METRICS} <= messages
    assert flat["coverage_90/Dev"] == 1
    assert np.isnan([value for key, value in flat.items() if key.endswith("/Hk")]).all()


@pytest.mark.parametrize(
    ("std", "message"),
    [
        (np.full((120, 2), -0.1), "at least 0 of 'Dev'. Received: -0.1. Log-variances must be converted"),
        (np.full((120, 2), np.nan), "finite standard deviations of 'Dev'"),
        (np.ones((120, 1)), r"standard deviations and targets of one shape. Received: \(120, 1\) and \(120, 2\)"),
    ],
)
def test_unusable_standard_deviations_are_refused(std, message):
    with pytest.raises(ValueError, match=message):
        eval_gaussian(MEAN, std, TARGETS, NAMES)


@settings(deadline=None)
@given(st.permutations(range(40)))
def test_order_of_rows_does_not_matter(order):
    rounded = STD[:40].round(1)
    plain = eval_gaussian(MEAN[:40], rounded, TARGETS[:40])
    moved = eval_gaussian(MEAN[order], rounded[order], TARGETS[order])
    assert moved == pytest.approx(plain)


@settings(deadline=None)
@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_metrics_follow_the_unit(factor, offset):
    plain = eval_gaussian(MEAN, STD, TARGETS)
    scaled = eval_gaussian(factor * MEAN + offset, factor * STD, factor * TARGETS + offset)
    for metric in SCALE_FREE:
        assert scaled[f"{metric}/0"] == pytest.approx(plain[f"{metric}/0"], abs=1e-6)
    for metric in ("crps", "width_90", "interval_score_90"):
        assert scaled[f"{metric}/0"] == pytest.approx(factor * plain[f"{metric}/0"], rel=1e-6)
    assert scaled["nll/0"] == pytest.approx(plain["nll/0"] + np.log(factor), abs=1e-6)


def test_coverage_and_width_rise_with_the_level():
    levels = np.linspace(0.05, 0.95, 19)
    flat = eval_gaussian(MEAN[:, 0], STD[:, 0], TARGETS[:, 0], confidence_levels=levels)
    for metric in ("coverage", "width"):
        values = [flat[f"{metric}_{100 * level:g}/0"] for level in levels]
        assert values == sorted(values)
    assert values[0] < values[-1]
