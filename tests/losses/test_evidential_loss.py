import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import t

from degu.errors import ConfigError, DataError
from degu.losses import EvidentialRegression, evidential_uncertainty
from degu.losses.evidential import _log_gamma_step

RNG = np.random.default_rng(0)
GAMMA, TARGETS = RNG.normal(size=(2, 200, 2))
NU, BETA = RNG.uniform(0.05, 4, size=(2, 200, 2))
ALPHA = 1 + RNG.exponential(2, size=(200, 2))
PREDICTIONS = np.hstack([GAMMA, NU, ALPHA, BETA])


def test_likelihood_is_that_of_students_t():
    scale = np.sqrt(BETA * (1 + NU) / (NU * ALPHA))
    expected = -t.logpdf(TARGETS, 2 * ALPHA, GAMMA, scale).mean(axis=1)
    loss = EvidentialRegression(0.0).call(TARGETS.astype("float32"), PREDICTIONS.astype("float32"))
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)


def test_regulariser_is_the_error_times_the_evidence():
    gap = float(EvidentialRegression(0.5)(TARGETS, PREDICTIONS)) - float(
        EvidentialRegression(0.0)(TARGETS, PREDICTIONS)
    )
    assert gap == pytest.approx(0.5 * (np.abs(TARGETS - GAMMA) * (2 * NU + ALPHA)).mean(), rel=1e-4)


def test_default_coefficient_is_not_zero():
    assert EvidentialRegression().coefficient == 0.01


def test_variances_are_the_moments_of_the_distribution():
    """Law of total variance: Student's t has the sum of both variances."""
    result = evidential_uncertainty(PREDICTIONS)
    scale = np.sqrt(BETA * (1 + NU) / (NU * ALPHA))
    np.testing.assert_array_equal(result.mean, GAMMA)
    np.testing.assert_allclose(result.aleatoric + result.epistemic, t.var(2 * ALPHA, GAMMA, scale), rtol=1e-10)
    np.testing.assert_allclose(result.epistemic * NU, result.aleatoric, rtol=1e-12)


def test_variances_far_below_one_are_reachable_and_preferred_where_errors_are_small():
    def columns(variance):
        return np.array([[0.0, 10.0, 5.0, 4 * variance]])

    assert float(evidential_uncertainty(columns(1e-4)).aleatoric[0, 0]) == pytest.approx(1e-4)
    loss = EvidentialRegression()
    assert float(loss(np.array([[0.01]]), columns(1e-4))) < float(loss(np.array([[0.01]]), columns(1.0))) - 3


def test_gamma_function_step_is_that_of_scipy():
    a = np.concatenate([np.linspace(1, 10, 500), np.logspace(1, 4, 50)])
    np.testing.assert_allclose(_log_gamma_step(a), gammaln(a + 0.5) - gammaln(a), atol=1e-6)


def test_arguments_are_checked():
    with pytest.raises(ConfigError, match="expected a number >= 0, received -1"):
        EvidentialRegression(-1)
    with pytest.raises(DataError, match="expected a multiple of 4 columns, received 6"):
        evidential_uncertainty(np.zeros((3, 6)))
