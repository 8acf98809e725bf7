import json

import numpy as np
import pytest
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from degu.errors import CalibrationError
from degu.metrics import calibration_band, calibration_curve, eval_intervals, probability_integral_transform
from degu.uncertainty import IsotonicRecalibration, row_digests


def skewed(rows, seed):
    """Means that are too low, standard deviations that are too small, and skewed errors."""
    generator = np.random.default_rng(seed)
    mean, std = generator.normal(size=(rows, 2)), generator.uniform(0.5, 1.5, (rows, 2))
    return mean, std, mean + 2 * std * (generator.exponential(size=(rows, 2)) - 0.7)


MEAN, STD, TARGETS = skewed(499, 0)
ROWS = row_digests(MEAN)
FITTED = IsotonicRecalibration.fit(MEAN, STD, TARGETS, rows=ROWS, used={})


def test_map_is_the_isotonic_regression_of_observed_on_predicted_probabilities():
    for k in range(2):
        predicted = probability_integral_transform(TARGETS[:, k] - MEAN[:, k], STD[:, k])
        observed = calibration_curve(predicted, predicted)
        regression = IsotonicRegression().fit(predicted, observed)
        got = FITTED.probability(MEAN, STD, TARGETS, rows=None)[:, k]
        # further out the predicted probability is 1 to the last digit
        shown = predicted < 1 - 1e-12
        assert shown.mean() > 0.9
        np.testing.assert_allclose(got[shown] * 500 / 499, regression.predict(predicted)[shown], atol=1e-12)


def test_interval_ends_at_quantiles_of_the_standardised_errors():
    interval = FITTED.predict_interval([[0.0, 10.0]], [[1.0, 2.0]], 0.9, rows=None)
    errors = np.sort((TARGETS - MEAN) / STD, axis=0)
    # 0.05 and 0.95 of 500 are whole numbers
    np.testing.assert_allclose(interval.lower[0], [errors[24, 0], 10 + 2 * errors[24, 1]])
    np.testing.assert_allclose(interval.upper[0], [errors[474, 0], 10 + 2 * errors[474, 1]])


def test_calibration_curve_is_within_its_band_afterwards_and_was_not_before():
    mean, std, targets = skewed(2000, 1)
    grid = np.linspace(0, 1, 501)
    before = probability_integral_transform(targets - mean, std)
    after = FITTED.probability(mean, std, targets, rows=row_digests(mean))
    # two samples stray: the calibration rows and the new ones
    band = calibration_band(499, 0.975) + calibration_band(2000, 0.975)
    for k in range(2):
        assert np.abs(calibration_curve(before[:, k], grid) - grid).max() > band
        assert np.abs(calibration_curve(after[:, k], grid) - grid).max() < band


def test_coverage_is_mended_on_new_rows():
    mean, std, targets = skewed(2000, 2)
    intervals = {level: FITTED.predict_interval(mean, std, level, rows=row_digests(mean)) for level in (0.5, 0.9)}
    flat = eval_intervals(intervals, targets)
    for level in (0.5, 0.9):
        spread = np.sqrt(level * (1 - level) * (1 / 499 + 1 / 2000))
        for k in range(2):
            assert flat[f"coverage_{100 * level:g}/{k}"] == pytest.approx(level, abs=4 * spread)


def test_tails_beyond_the_calibration_rows_are_infinite():
    few = IsotonicRecalibration.fit(MEAN[:9], STD[:9], TARGETS[:9], rows=ROWS[:9], used={})
    assert np.isfinite(few.predict_interval(MEAN[9:], STD[9:], 0.8, rows=ROWS[9:])).all()
    assert np.isinf(few.predict_interval(MEAN[9:], STD[9:], 0.81, rows=ROWS[9:])).all()


def test_overconfident_predictions_do_not_saturate():
    tiny = 1e-3 * STD
    fitted = IsotonicRecalibration.fit(MEAN, tiny, TARGETS, rows=ROWS, used={})
    mine, theirs = (f.predict_interval(MEAN, s, 0.9, rows=None) for f, s in ((fitted, tiny), (FITTED, STD)))
    np.testing.assert_allclose(mine.lower, theirs.lower)
    np.testing.assert_allclose(mine.upper, theirs.upper)


def test_unmeasured_rows_are_left_out():
    targets = TARGETS.copy()
    targets[:99, 1] = np.nan
    fitted = IsotonicRecalibration.fit(MEAN, STD, targets, rows=ROWS, used={})
    assert [len(errors) for errors in fitted.errors] == [499, 400]
    np.testing.assert_array_equal(fitted.errors[0], FITTED.errors[0])


def test_normal_errors_keep_their_quantiles():
    generator = np.random.default_rng(3)
    errors = generator.normal(size=(20_000, 1))
    fitted = IsotonicRecalibration.fit(0 * errors, errors**0, errors, rows=row_digests(errors), used={})
    interval = fitted.predict_interval([[0.0]], [[1.0]], 0.9, rows=None)
    assert interval.upper[0, 0] == pytest.approx(stats.norm.ppf(0.95), abs=0.05)
    assert interval.lower[0, 0] == pytest.approx(stats.norm.ppf(0.05), abs=0.05)


def test_json_round_trip():
    again = IsotonicRecalibration.from_dict(json.loads(json.dumps(FITTED.to_dict())))
    for mine, theirs in zip(again.errors, FITTED.errors, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(CalibrationError, match="499 of 499 rows of the calibration"):
        again.predict_interval(MEAN, STD, 0.9, rows=ROWS)
    with pytest.raises(ValueError, match="isotonic recalibration with the keys"):
        IsotonicRecalibration.from_dict({"errors": []})


def test_bad_calibrations_are_refused():
    with pytest.raises(CalibrationError, match="rows of 'train' too"):
        IsotonicRecalibration.fit(MEAN, STD, TARGETS, rows=ROWS, used={"train": ROWS[-1:]})
    with pytest.raises(CalibrationError, match="rows of 'a'. Received: none"):
        IsotonicRecalibration.fit(MEAN, STD, TARGETS * np.nan, rows=ROWS, used={}, names=["a", "b"])
    with pytest.raises(ValueError, match="above 0 of '0'"):
        IsotonicRecalibration.fit(MEAN, 0 * STD, TARGETS, rows=ROWS, used={})
    with pytest.raises(ValueError, match=r"arrays \(N, 2\) of one shape"):
        FITTED.predict_interval(MEAN, STD[:, :1], 0.9, rows=None)
