import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from degu.metrics import GAUSSIAN_METRICS, Bootstrap
from degu.metrics.bootstrap import estimate
from degu.metrics.counted import ColumnStatistics, average
from degu.metrics.intervals import interval_statistics

RNG = np.random.default_rng(4)
VALUES = RNG.exponential(size=80)


def column(**statistics):
    return ColumnStatistics(80, statistics)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.booleans())
def test_counting_a_row_twice_is_having_it_twice(seed, ties):
    generator = np.random.default_rng(seed)
    std = generator.uniform(0.5, 2.0, 12).round(1 if ties else 9)
    error = (std * generator.normal(size=12)).round(1 if ties else 9)
    counts = np.bincount(generator.integers(12, size=12), minlength=12)
    longer_error, longer_std = np.repeat(error, counts), np.repeat(std, counts)
    for name, metric in GAUSSIAN_METRICS.items():
        counted, repeated = metric(error, std)(counts.astype(float)), metric(longer_error, longer_std)(np.ones(12))
        assert counted == pytest.approx(repeated, abs=1e-9), name
    for name, counted in interval_statistics(-std, std, error, 0.8).items():
        repeated = interval_statistics(-longer_std, longer_std, longer_error, 0.8)[name]
        assert counted(counts.astype(float)) == pytest.approx(repeated(np.ones(12)))


def test_interval_of_a_mean_is_scipys():
    value, low, high = estimate(column(mean=average(VALUES)), Bootstrap(4000))["mean"]
    theirs = stats.bootstrap((VALUES,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert value == pytest.approx(VALUES.mean())
    assert (low, high) == pytest.approx(tuple(theirs), abs=0.1 * (theirs.high - theirs.low))


def test_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        values = generator.normal(size=80)
        _, low, high = estimate(column(mean=average(values)), Bootstrap(200, confidence_level=0.8))["mean"]
        hits += low <= 0 <= high
    assert hits / 300 == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 300))


def test_difference_of_two_models_is_paired():
    shared, own = 10 * RNG.normal(size=80), RNG.normal(size=80)
    statistics = column(first=average(shared), second=average(shared + own + 1))
    found = estimate(statistics, Bootstrap(500), {"gain": ("second", "first")})
    value, low, high = found["gain"]
    assert value == pytest.approx(np.mean(own + 1))
    assert 0 < low < value < high
    assert high - low < 0.2 * (found["first"][2] - found["first"][1])
    alone = estimate(column(gain=average(own + 1)), Bootstrap(500))["gain"]
    assert (value, low, high) == pytest.approx(alone)


def test_draws_depend_on_the_seed_and_zero_is_a_seed():
    first, again, other = (
        estimate(column(mean=average(VALUES)), Bootstrap(50, seed=seed))["mean"] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_samples_without_a_value_are_left_out():
    statistics = column(odd=lambda counts: float("nan") if counts[0] else 1.0, never=lambda counts: float("nan"))
    found = estimate(statistics, Bootstrap(50))
    assert found["odd"][1:] == (1.0, 1.0)
    assert np.isnan(found["never"]).all()


def test_infinite_values_have_bounds_and_no_difference():
    wide = average(np.where(np.arange(80) == 0, np.inf, 1.0))
    found = estimate(column(a=wide, b=wide), Bootstrap(200), {"difference": ("a", "b")})
    assert found["a"] == (np.inf, 1.0, np.inf)
    assert np.isnan(found["difference"][0])


def test_no_rows_have_no_value():
    found = estimate(ColumnStatistics(0, {"mean": average(np.empty(0))}), Bootstrap(5))
    assert np.isnan(found["mean"]).all()


def test_without_a_bootstrap_there_is_the_value_alone():
    assert estimate(column(mean=average(VALUES))) == {"mean": (pytest.approx(VALUES.mean()),)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_resamples": 0}, "num_resamples >= 1"),
        ({"confidence_level": 95}, "below 1. Received: confidence_level=95"),
    ],
)
def test_arguments_have_ranges(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bootstrap(**arguments)
