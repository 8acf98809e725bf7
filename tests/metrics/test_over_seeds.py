import numpy as np
import pytest
from scipy import stats

from degu.metrics.over_seeds import over_seeds, paired_difference


def test_the_interval_is_that_of_student():
    values = [0.61, 0.65, 0.6, 0.64]
    estimate = over_seeds(values, 0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert (estimate.studies, estimate.mean, estimate.sd) == (
        4,
        pytest.approx(0.625),
        pytest.approx(np.std(values, ddof=1)),
    )


def test_one_study_has_no_interval():
    estimate = over_seeds([0.6])
    assert estimate.mean == 0.6
    assert np.isnan([estimate.sd, estimate.low, estimate.high]).all()


@pytest.mark.parametrize("values", [[], [0.1, np.nan], [[0.1]]])
def test_values_that_have_no_mean_are_refused(values):
    with pytest.raises(ValueError, match="finite values"):
        over_seeds(values)


def test_differences_are_paired_by_seed():
    first, second = {0: 0.7, 1: 0.5, 2: 0.65, 9: 5.0}, {2: 0.6, 1: 0.47, 0: 0.66, 8: -5.0}
    found = paired_difference(first, second)
    expected = stats.ttest_rel([0.7, 0.5, 0.65], [0.66, 0.47, 0.6])
    assert found.studies == 3
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_differences_without_pairs_or_spread():
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    assert paired_difference({0: 1.0}, {0: 0.5}).p_value is None
    assert paired_difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}).p_value == 1
    assert paired_difference({0: 1.0, 1: 2.0}, {0: 0.5, 1: 1.5}).p_value == 0


def test_the_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    estimates = [over_seeds(generator.normal(1.0, 0.3, 5)) for _ in range(2000)]
    covered = sum(estimate.low <= 1.0 <= estimate.high for estimate in estimates)
    assert abs(covered - 1900) < 4 * np.sqrt(2000 * 0.95 * 0.05)
