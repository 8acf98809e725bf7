import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degu.metrics import eval_classification, eval_regression
from degu.metrics.activity import ACTIVITY_METRICS


@pytest.mark.filterwarnings("ignore::degu.metrics.UndefinedMetricWarning")
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.booleans())
def test_counting_a_row_twice_is_having_it_twice(seed, ties):
    rng = np.random.default_rng(seed)
    prediction, label = rng.random(15).round(1 if ties else 9), (rng.random(15) < 0.4).astype(float)
    counts = np.bincount(rng.integers(15, size=15), minlength=15)
    longer, labels = np.repeat(prediction, counts), np.repeat(label, counts)
    expected = {**eval_regression(longer, labels)._asdict(), **eval_classification(longer, labels)._asdict()}
    assert expected.keys() == ACTIVITY_METRICS.keys()
    for name, value in expected.items():
        statistic = ACTIVITY_METRICS[name](prediction, label)(counts.astype(float))
        assert statistic == pytest.approx(value[0], abs=1e-9, nan_ok=True), name
