import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from degu.metrics import sparsification_curve
from degu.metrics.counted import UndefinedMetricError
from degu.metrics.sparsification import FRACTIONS, aurg, ause, uncertainty_error_spearman

RNG = np.random.default_rng(2)
STD = RNG.lognormal(size=200)
ERROR = STD * RNG.normal(size=200)
ONCE = np.ones(200)


def loop(error, std, fractions):
    """Remove rows one after another, whole rows only."""
    order = np.argsort(-std)
    kept = [error[order[round(fraction * len(error)) :]] for fraction in fractions]
    return np.array([np.sqrt(np.mean(rows**2)) for rows in kept]) / np.sqrt(np.mean(error**2))


def test_curve_is_the_loop_that_removes_rows():
    # 200 rows: every hundredth of them is two whole rows
    np.testing.assert_allclose(sparsification_curve(ERROR, STD), loop(ERROR, STD, FRACTIONS), rtol=1e-12)


def test_area_is_between_the_curve_and_the_oracles():
    gap = loop(ERROR, STD, FRACTIONS) - loop(ERROR, np.abs(ERROR), FRACTIONS)
    assert ause(ERROR, STD)(ONCE) == pytest.approx(np.trapezoid(gap, FRACTIONS))
    assert aurg(ERROR, STD)(ONCE) == pytest.approx(np.trapezoid(1 - loop(ERROR, STD, FRACTIONS), FRACTIONS))
    assert ause(ERROR, STD)(ONCE) > 0


def test_the_order_of_the_true_errors_is_the_oracle():
    assert ause(ERROR, np.abs(ERROR) ** 3)(ONCE) == 0
    others = [ause(ERROR, RNG.permutation(STD))(ONCE) for _ in range(20)]
    assert min(others) > ause(ERROR, STD)(ONCE)


def test_a_constant_says_nothing():
    np.testing.assert_allclose(sparsification_curve(ERROR, np.ones(200)), 1.0, rtol=1e-12)
    assert aurg(ERROR, np.ones(200))(ONCE) == pytest.approx(0, abs=1e-12)


def test_ties_leave_in_proportion_so_mean_squared_errors_are_averages_over_their_orders():
    error, std = np.array([3.0, 1.0, 2.0, 5.0]), np.array([2.0, 2.0, 2.0, 1.0])
    fractions = [0.25, 0.5]
    orders = itertools.permutations([0, 1, 2])
    broken = [sparsification_curve(error, std + 0.1 * np.array([*order, 0]), fractions) ** 2 for order in orders]
    np.testing.assert_allclose(sparsification_curve(error, std, fractions) ** 2, np.mean(broken, axis=0))


def test_rank_correlation_is_that_of_scipy():
    rounded = STD.round(1)
    expected = stats.spearmanr(rounded, np.abs(ERROR)).statistic
    assert uncertainty_error_spearman(ERROR, rounded)(ONCE) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "error", "std", "reason"),
    [
        (uncertainty_error_spearman, [1.0], [1.0], "1 measured rows"),
        (uncertainty_error_spearman, [1.0, 2.0], [1.0, 1.0], "standard deviations are constant"),
        (uncertainty_error_spearman, [1.0, -1.0], [1.0, 2.0], "absolute errors are constant"),
        (ause, [1.0], [1.0], "1 measured rows"),
        (ause, [0.0, 0.0], [1.0, 2.0], "all errors are 0"),
        (aurg, [0.0, 0.0], [1.0, 2.0], "all errors are 0"),
    ],
)
def test_where_there_is_no_value(metric, error, std, reason):
    with pytest.raises(UndefinedMetricError, match=reason):
        metric(np.array(error), np.array(std))


rows = st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 20)), min_size=2, max_size=30).filter(
    lambda pairs: any(error for error, _ in pairs)
)


@given(rows, st.permutations(range(30)))
def test_order_of_rows_and_increasing_maps_do_not_matter(pairs, shuffled):
    error, std = np.array(pairs, dtype=float).T
    order = [index for index in shuffled if index < len(error)]
    once = np.ones(len(error))
    for metric in (ause, aurg):
        value = metric(error, std)(once)
        assert metric(error[order], std[order])(once) == pytest.approx(value, abs=1e-9)
        assert metric(1000 * error, np.log(std))(once) == pytest.approx(value, abs=1e-9)
    assert ause(error, std)(once) >= -1e-9
    assert np.all(sparsification_curve(error, np.abs(error)) <= sparsification_curve(error, std) + 1e-9)
