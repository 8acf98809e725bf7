import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from degu import utils
from degu.uncertainty import Spread

PREDICTIONS = np.random.default_rng(0).normal(2.0, 3.0, size=(5, 7, 2))
members = arrays.arrays(np.float64, (4, 3, 2), elements=st.floats(-100, 100, width=32))


def test_short_names_are_spreads_of_the_unit_they_say():
    variance = stats.describe(PREDICTIONS, axis=0).variance
    np.testing.assert_allclose(utils.var(PREDICTIONS, axis=0), variance, rtol=1e-12)
    np.testing.assert_allclose(utils.std(PREDICTIONS, axis=0), np.sqrt(variance), rtol=1e-12)
    np.testing.assert_allclose(utils.logvar(PREDICTIONS, axis=0), np.log(variance), rtol=1e-12)


def test_ddof_0_is_the_population_moment():
    by_hand = np.mean((PREDICTIONS - PREDICTIONS.mean(axis=0)) ** 2, axis=0)
    np.testing.assert_allclose(Spread("var", ddof=0)(PREDICTIONS), by_hand, rtol=1e-12)


def test_two_members_in_closed_form():
    pair = np.array([[[1.0]], [[4.0]]])
    assert Spread("std", ddof=0)(pair).item() == pytest.approx(1.5)
    assert Spread("std", ddof=1)(pair).item() == pytest.approx(3 / np.sqrt(2))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_members_may_lie_on_any_axis(axis):
    moved = np.moveaxis(PREDICTIONS, 0, axis)
    np.testing.assert_array_equal(utils.std(moved, axis=axis), utils.std(PREDICTIONS, axis=0))


@pytest.mark.parametrize(("unit", "least"), [("std", 1e-3), ("var", 1e-6), ("logvar", np.log(1e-6))])
@pytest.mark.parametrize("count", [1, 3])
def test_agreement_gives_the_floor(unit, least, count):
    same = np.repeat(PREDICTIONS[:1], count, axis=0)
    np.testing.assert_allclose(Spread(unit, floor=1e-3)(same), least, rtol=1e-12)


def test_dtype_is_kept_and_sums_are_not_rounded_in_it():
    small = np.float32(1e4) + np.random.default_rng(1).normal(0, 0.01, size=(50, 4)).astype(np.float32)
    spread = utils.std(small)
    assert spread.dtype == np.float32
    np.testing.assert_allclose(spread, small.astype(np.float64).std(axis=0, ddof=1), rtol=1e-6)


def test_integers_give_real_numbers():
    assert utils.std(np.array([[1], [2]])).item() == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_to_std_undoes_the_unit(unit):
    spread = Spread(unit)
    np.testing.assert_allclose(spread.to_std(spread(PREDICTIONS)), PREDICTIONS.std(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize(("unit", "predicted"), [("std", -0.2), ("var", -0.2), ("logvar", -500.0)])
def test_to_std_of_an_impossible_prediction_is_the_floor(unit, predicted):
    assert Spread(unit, floor=0.01).to_std(np.array([predicted])).item() == 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unit": "sd"}, r"unit to be one of .*Received: unit='sd'"),
        ({"ddof": 2}, "ddof to be 0 or 1. Received: ddof=2"),
        ({"floor": 0.0}, r"floor > 0. Received: floor=0\.0"),
        ({"floor": float("nan")}, "floor > 0. Received: floor=nan"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Spread(**arguments)


@given(members, st.floats(-50, 50, width=32))
def test_spread_ignores_a_common_shift(values, offset):
    np.testing.assert_allclose(utils.std(values + offset), utils.std(values), atol=1e-9)


@given(members, st.floats(0.5, 20, width=32))
def test_spread_scales_with_the_predictions(values, factor):
    spread = Spread("std", floor=1e-12)
    np.testing.assert_allclose(spread(factor * values), factor * spread(values), rtol=1e-9, atol=1e-9)


@given(members, st.permutations(range(4)))
def test_spread_ignores_the_order_of_members(values, order):
    np.testing.assert_allclose(utils.var(values[order]), utils.var(values), rtol=1e-9, atol=1e-9)
