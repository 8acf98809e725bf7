import numpy as np
import pytest

from degu.uncertainty import bin_index, quantile_edges

VALUES = np.random.default_rng(0).normal(size=(100, 2)) * [1.0, 50.0]


def test_bins_hold_equal_shares():
    bins = bin_index(VALUES, quantile_edges(VALUES, 4))
    for k in range(2):
        np.testing.assert_array_equal(np.bincount(bins[:, k]), [25, 25, 25, 25])
        assert VALUES[bins[:, k] == 0, k].max() < VALUES[bins[:, k] == 1, k].min()


def test_one_bin_has_no_edges():
    edges = quantile_edges(VALUES, 1)
    assert edges.shape == (0, 2)
    assert not bin_index(VALUES, edges).any()


def test_edges_belong_to_the_bin_above_and_everything_has_a_bin():
    edges = np.array([[0.0], [1.0]])
    np.testing.assert_array_equal(bin_index([[-9.0], [0.0], [0.5], [1.0], [9.0]], edges)[:, 0], [0, 1, 1, 2, 2])


def test_equal_predictions_stay_together():
    values = np.array([[1.0]] * 5 + [[2.0]])
    assert len(set(bin_index(values, quantile_edges(values, 3))[:5, 0])) == 1


@pytest.mark.parametrize(("values", "num_bins"), [(np.empty((0, 2)), 2), (np.ones(3), 2), (VALUES, 0)])
def test_bad_arguments_are_refused(values, num_bins):
    with pytest.raises(ValueError, match="num_bins >= 1"):
        quantile_edges(values, num_bins)


def test_targets_must_agree():
    with pytest.raises(ValueError, match=r"Received: \(100, 2\) and \(1, 1\)"):
        bin_index(VALUES, np.zeros((1, 1)))
