import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from degu.metrics import UndefinedMetricWarning, eval_regression

RNG = np.random.default_rng(0)
TARGETS = RNG.normal(size=(60, 3))
PREDICTIONS = TARGETS + RNG.normal(size=(60, 3))

# integers below 1000, whose cubes are exact
pairs = st.lists(st.tuples(st.integers(-999, 999), st.integers(-999, 999)), min_size=3, max_size=30).filter(
    lambda rows: all(len(set(side)) > 1 for side in zip(*rows, strict=True))
)


def test_values_equal_scipy_column_by_column():
    mse, pearson, spearman = eval_regression(PREDICTIONS, TARGETS)
    for k in range(3):
        assert mse[k] == pytest.approx(np.mean((PREDICTIONS[:, k] - TARGETS[:, k]) ** 2))
        assert pearson[k] == pytest.approx(stats.pearsonr(PREDICTIONS[:, k], TARGETS[:, k]).statistic)
        assert spearman[k] == pytest.approx(stats.spearmanr(PREDICTIONS[:, k], TARGETS[:, k]).statistic)


def test_ties_take_mid_ranks_as_scipy_does():
    prediction, target = [1.0, 1, 2, 3, 3, 3], [2.0, 1, 1, 4, 5, 5]
    assert eval_regression(prediction, target).spearman_rho.item() == pytest.approx(
        stats.spearmanr(prediction, target).statistic
    )


def test_a_vector_is_one_column():
    vector, column = (eval_regression(PREDICTIONS[:, 0], TARGETS[:, 0]), eval_regression(PREDICTIONS, TARGETS))
    assert vector.mse.shape == (1,)
    assert vector.mse[0] == column.mse[0]


def test_unmeasured_rows_leave_their_own_column_only():
    targets = TARGETS.copy()
    targets[:20, 1] = np.nan
    got = eval_regression(PREDICTIONS, targets)
    shorter = eval_regression(PREDICTIONS[20:, 1], TARGETS[20:, 1])
    whole = eval_regression(PREDICTIONS, TARGETS)
    for name in got._fields:
        assert getattr(got, name)[1] == getattr(shorter, name)[0]
        np.testing.assert_array_equal(getattr(got, name)[[0, 2]], getattr(whole, name)[[0, 2]])


def test_prediction_of_an_unmeasured_row_does_not_matter():
    targets, predictions = TARGETS.copy(), PREDICTIONS.copy()
    targets[3, 0] = np.nan
    before = eval_regression(predictions, targets)
    predictions[3, 0] = np.nan
    np.testing.assert_array_equal(np.array(eval_regression(predictions, targets)), np.array(before))


def test_constant_predictions_have_no_correlation_and_say_why():
    constant = PREDICTIONS.copy()
    constant[:, 1] = 0.3
    with pytest.warns(UndefinedMetricWarning) as caught:
        got = eval_regression(constant, TARGETS, names=["Dev", "Hk", "third"])
    assert {str(entry.message) for entry in caught} == {
        "Pearson r of 'Hk' is undefined: the predictions are constant",
        "Spearman rho of 'Hk' is undefined: the predictions are constant",
    }
    assert np.isnan(got.pearson_r).tolist() == [False, True, False]
    assert np.isfinite(got.mse).all()


def test_one_measured_row_and_none():
    targets = np.array([[1.0, np.nan], [np.nan, np.nan]])
    with pytest.warns(UndefinedMetricWarning) as caught:
        got = eval_regression(np.zeros((2, 2)), targets)
    reasons = [str(entry.message) for entry in caught]
    assert "MSE of '1' is undefined: no measured rows" in reasons
    assert "Pearson r of '0' is undefined: 1 measured rows, at least 2 are needed" in reasons
    np.testing.assert_array_equal(got.mse, [1.0, np.nan])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"Received: \(60, 2\) and \(60, 3\)"):
        eval_regression(PREDICTIONS[:, :2], TARGETS)
    with pytest.raises(ValueError, match=r"Received: \(60, 1\) and \(1, 60\)"):
        eval_regression(PREDICTIONS[:, 0], TARGETS[:, :1].T)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_must_be_finite_where_measured(value):
    predictions = PREDICTIONS.copy()
    predictions[0, 2] = value
    with pytest.raises(ValueError, match="finite predictions of 'Hk'"):
        eval_regression(predictions, TARGETS, names=["a", "b", "Hk"])


@given(pairs)
def test_spearman_ignores_increasing_maps(rows):
    prediction, target = np.array(rows, dtype=float).T
    plain = eval_regression(prediction, target).spearman_rho
    mapped = eval_regression(prediction**3, target**3 + 7).spearman_rho
    np.testing.assert_allclose(mapped, plain, atol=1e-12)
    np.testing.assert_allclose(eval_regression(-prediction, target).spearman_rho, -plain, atol=1e-12)


@given(pairs, st.integers(1, 50), st.integers(-50, 50))
def test_pearson_ignores_affine_maps_and_stays_in_its_range(rows, factor, offset):
    prediction, target = np.array(rows, dtype=float).T
    plain = eval_regression(prediction, target)
    mapped = eval_regression(factor * prediction + offset, target)
    np.testing.assert_allclose(mapped.pearson_r, plain.pearson_r, atol=1e-9)
    assert -1 <= plain.pearson_r[0] <= 1
    assert -1 <= plain.spearman_rho[0] <= 1


def test_no_warning_where_everything_is_defined():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eval_regression(PREDICTIONS, TARGETS)
