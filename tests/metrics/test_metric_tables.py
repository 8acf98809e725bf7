import numpy as np
import pytest

from degu.metrics import GAUSSIAN_METRICS, HIGHER_IS_BETTER, ClassificationMetrics, RegressionMetrics, flatten


def test_flat_names_and_the_mean_over_targets():
    metrics = RegressionMetrics(np.array([1.0, 3.0]), np.array([0.5, 0.7]), np.array([0.4, 0.2]))
    assert flatten(metrics, ["Dev", "Hk"], "test/regression/") == pytest.approx(
        {
            "test/regression/mse/Dev": 1.0,
            "test/regression/mse/Hk": 3.0,
            "test/regression/mse/mean": 2.0,
            "test/regression/pearson_r/Dev": 0.5,
            "test/regression/pearson_r/Hk": 0.7,
            "test/regression/pearson_r/mean": 0.6,
            "test/regression/spearman_rho/Dev": 0.4,
            "test/regression/spearman_rho/Hk": 0.2,
            "test/regression/spearman_rho/mean": 0.3,
        }
    )


def test_names_must_fit_the_columns():
    with pytest.raises(ValueError, match="zip"):
        flatten(RegressionMetrics(np.zeros(2), np.zeros(2), np.zeros(2)), ["one"])


def test_every_metric_says_which_way_is_better():
    names = {*RegressionMetrics._fields, *ClassificationMetrics._fields, *GAUSSIAN_METRICS}
    assert set(HIGHER_IS_BETTER) == names
    assert not HIGHER_IS_BETTER["mse"]
