import numpy as np
import pytest

from degu.ensemble import Prediction
from degu.evaluation.truth import error_bins, truth_metrics
from degu.uncertainty import Spread

RNG = np.random.default_rng(0)
SIZE = 20_000
MEAN, NOISE = RNG.normal(size=(SIZE, 2)), RNG.uniform(0.2, 1.0, (SIZE, 2))
DOUBT = RNG.uniform(0.1, 1.0, (SIZE, 2))
PREDICTED = MEAN + DOUBT * RNG.normal(size=MEAN.shape)


def test_a_model_that_knows_its_errors_and_the_noise_has_ideal_metrics():
    prediction = Prediction(PREDICTED, np.log(DOUBT**2), NOISE)
    flat = truth_metrics(prediction, Spread("logvar"), MEAN, NOISE, ("a", "b"))
    for name in ("a", "b"):
        assert flat[f"epistemic_coverage_90/{name}"] == pytest.approx(0.9, abs=0.01)
        assert flat[f"epistemic_ratio/{name}"] == pytest.approx(1.0, abs=0.03)
        assert flat[f"epistemic_error_spearman/{name}"] > 0.3
        assert flat[f"aleatoric_pearson_r/{name}"] == pytest.approx(1.0)
        assert flat[f"aleatoric_ratio/{name}"] == pytest.approx(1.0)
        assert flat[f"mean_rmse/{name}"] == pytest.approx(np.sqrt(np.mean(DOUBT**2)), rel=0.03)


def test_what_is_wrong_shows():
    noise = np.stack([0.5 * NOISE[:, 0], np.full(SIZE, np.nan)], axis=1)
    prediction = Prediction(PREDICTED, np.stack([0.5 * DOUBT[:, 0], RNG.permutation(DOUBT[:, 1])], axis=1), noise)
    flat = truth_metrics(prediction, Spread("std"), MEAN, NOISE, ("a", "b"))
    assert flat["epistemic_ratio/a"] == pytest.approx(0.5, abs=0.02)
    assert flat["epistemic_coverage_90/a"] < 0.65
    assert flat["aleatoric_ratio/a"] == pytest.approx(0.5)
    assert abs(flat["epistemic_error_spearman/b"]) < 0.03
    assert "aleatoric_ratio/b" not in flat


def test_bins_of_a_calibrated_model_lie_on_the_diagonal():
    bins = error_bins(DOUBT[:, 0], PREDICTED[:, 0] - MEAN[:, 0])
    np.testing.assert_allclose(bins.error, bins.epistemic, rtol=0.1)
    assert (np.diff(bins.epistemic) > 0).all()
    with pytest.raises(ValueError, match="at least 10 rows"):
        error_bins(DOUBT[:3, 0], MEAN[:3, 0])
