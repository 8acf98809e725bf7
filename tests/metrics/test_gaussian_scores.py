import numpy as np
import pytest
from scipy import integrate, stats

from degu.metrics import central_confidence, gaussian_interval, probability_integral_transform
from degu.metrics.gaussian import gaussian_crps, gaussian_nll, standardized

RNG = np.random.default_rng(0)
STD = RNG.lognormal(size=40)
ERROR = STD * RNG.standard_t(4, size=40)


def test_likelihood_is_that_of_scipy():
    np.testing.assert_allclose(gaussian_nll(ERROR, STD), -stats.norm.logpdf(ERROR, scale=STD), rtol=1e-12)


def test_crps_is_the_integral_that_defines_it():
    for error, std in zip(ERROR[:8], STD[:8], strict=True):
        below = integrate.quad(lambda y, std=std: stats.norm.cdf(y, scale=std) ** 2, -40 * std, error, limit=300)[0]
        above = integrate.quad(lambda y, std=std: stats.norm.sf(y, scale=std) ** 2, error, 40 * std, limit=300)[0]
        assert gaussian_crps(error, std) == pytest.approx(below + above, rel=1e-6)


def test_a_point_mass_has_the_absolute_error_as_crps():
    np.testing.assert_array_equal(gaussian_crps(np.array([-2.0, 0.0]), np.zeros(2)), [2.0, 0.0])
    assert gaussian_crps(-2.0, 1e-9) == pytest.approx(2.0)


def test_a_point_mass_is_right_or_infinitely_wrong():
    error, std = np.array([0.0, 1e-9, -3.0]), np.zeros(3)
    np.testing.assert_array_equal(standardized(error, std), [0.0, np.inf, -np.inf])
    np.testing.assert_array_equal(central_confidence(error, std), [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(probability_integral_transform(error, std), [0.5, 1.0, 0.0])


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_interval_is_that_of_scipy(level):
    interval = gaussian_interval(ERROR, STD, level)
    lower, upper = stats.norm.interval(level, loc=ERROR, scale=STD)
    np.testing.assert_allclose(interval.lower, lower, rtol=1e-12)
    np.testing.assert_allclose(interval.upper, upper, rtol=1e-12)


def test_the_central_interval_of_its_own_level_ends_at_the_measurement():
    levels = central_confidence(ERROR, STD)
    for error, std, level in zip(ERROR, STD, levels, strict=True):
        assert gaussian_interval(0.0, std, level).upper == pytest.approx(abs(error))
    np.testing.assert_allclose(levels, np.abs(2 * probability_integral_transform(ERROR, STD) - 1), atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90, float("nan")])
def test_levels_are_probabilities(level):
    with pytest.raises(ValueError, match="confidence level above 0 and below 1"):
        gaussian_interval(0.0, 1.0, level)
