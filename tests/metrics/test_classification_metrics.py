import numpy as np
import pytest
from sklearn import metrics as sk

from degu.metrics import UndefinedMetricWarning, eval_classification

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (80, 2)).astype(float)
PROBABILITIES = np.clip(0.3 * LABELS + RNG.uniform(0, 0.7, (80, 2)), 0, 1).round(2)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_values_equal_scikit_learn(threshold):
    got = eval_classification(PROBABILITIES, LABELS, threshold=threshold)
    for k in range(2):
        label, probability = LABELS[:, k], PROBABILITIES[:, k]
        assert got.auroc[k] == pytest.approx(sk.roc_auc_score(label, probability))
        assert got.average_precision[k] == pytest.approx(sk.average_precision_score(label, probability))
        assert got.f1[k] == pytest.approx(sk.f1_score(label, probability >= threshold))
        assert got.accuracy[k] == pytest.approx(sk.accuracy_score(label, probability >= threshold))


def test_unmeasured_rows_are_left_out():
    labels = LABELS.copy()
    labels[:30, 0] = np.nan
    got, shorter = eval_classification(PROBABILITIES, labels), eval_classification(PROBABILITIES[30:], LABELS[30:])
    for name in got._fields:
        assert getattr(got, name)[0] == getattr(shorter, name)[0]


def test_one_class_has_no_ranking():
    with pytest.warns(UndefinedMetricWarning, match="of 'Hk' is undefined: the labels have one class only"):
        got = eval_classification(PROBABILITIES[:, 0], np.ones(80), names=["Hk"])
    assert np.isnan(got.auroc[0])
    assert np.isnan(got.average_precision[0])
    assert got.accuracy[0] == np.mean(PROBABILITIES[:, 0] >= 0.5)


def test_nothing_positive_has_no_f1():
    with pytest.warns(UndefinedMetricWarning, match="F1 of '0' is undefined|one class"):
        assert np.isnan(eval_classification(np.full(4, 0.1), np.zeros(4)).f1[0])


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([0.2, 1.3], [0, 1], "probabilities in .0, 1.. Received values from 0.2 to 1.3"),
        ([0.2, 0.3], [0, 2], "labels 0 or 1"),
        ([0.2, 0.3], [0, 1, 1], "one shape"),
    ],
)
def test_unusable_values_are_refused(predictions, labels, message):
    with pytest.raises(ValueError, match=message):
        eval_classification(predictions, labels)
