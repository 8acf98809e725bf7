import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.regression import ConformalizedQuantileRegressor, SplitConformalRegressor
from sklearn.base import BaseEstimator, RegressorMixin

from degu.errors import CalibrationError
from degu.uncertainty import (
    InfiniteIntervalWarning,
    SplitConformal,
    quantile_band,
    quantile_edges,
    residual_band,
    row_digests,
)
from degu.uncertainty.conformal import conformal_quantile, rows_needed

RNG = np.random.default_rng(8)
MEAN = RNG.normal(size=(300, 2))
STD = RNG.uniform(0.2, 2.0, (300, 2))
TARGETS = MEAN + STD * RNG.normal(size=(300, 2))
OLD, NEW = slice(0, 211), slice(211, 300)
ROWS = row_digests(MEAN)


def conformalized(band=None, targets=TARGETS[OLD], edges=None):
    band = residual_band(MEAN[OLD], STD[OLD]) if band is None else band
    rows = row_digests(np.arange(len(targets))[:, None])
    return SplitConformal.conformalize(band, targets, rows=rows, used={}, edges=edges)


class Column(RegressorMixin, BaseEstimator):
    """A fitted model that predicts a column of its input."""

    fitted_ = True

    def __init__(self, index=0):
        self.index = index

    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.asarray(x)[:, self.index]

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("scaled", [False, True], ids=["absolute", "normalized"])
def test_intervals_are_those_of_mapie(level, scaled):
    unit = STD if scaled else np.ones_like(STD)
    got = conformalized(residual_band(MEAN[OLD], STD[OLD] if scaled else None)).predict_interval(
        residual_band(MEAN[NEW], STD[NEW] if scaled else None), level, rows=None
    )
    # in units of the predicted deviation normalised scores are absolute ones
    x, y = MEAN / unit, TARGETS / unit
    for k in range(2):
        theirs = SplitConformalRegressor(Column(k), level).conformalize(x[OLD], y[OLD, k])
        bounds = theirs.predict_interval(x[NEW])[1][..., 0] * unit[NEW, k, None]
        np.testing.assert_allclose(np.stack([got.lower[:, k], got.upper[:, k]], axis=1), bounds, rtol=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_conformalised_quantiles_are_those_of_mapie(level):
    x = np.concatenate([MEAN[:, :1] - STD[:, :1], MEAN[:, :1] + 0.5 * STD[:, :1], MEAN[:, :1]], axis=1)
    band = quantile_band(x[:, :1], x[:, 1:2])
    got = conformalized(quantile_band(x[OLD, :1], x[OLD, 1:2]), TARGETS[OLD, :1]).predict_interval(
        quantile_band(x[NEW, :1], x[NEW, 1:2]), level, rows=None
    )
    models = [Column(0), Column(1), Column(2)]
    theirs = ConformalizedQuantileRegressor(models, level, prefit=True).conformalize(x[OLD], TARGETS[OLD, 0])
    bounds = theirs.predict_interval(x[NEW], symmetric_correction=True)[1][..., 0]
    np.testing.assert_allclose(np.concatenate(got, axis=1), bounds, rtol=1e-9)
    assert band.scores(TARGETS[:, :1]).min() < 0


def test_mondrian_is_split_conformal_in_every_bin():
    edges = quantile_edges(MEAN[NEW], 3)
    got = conformalized(edges=edges).predict_interval(residual_band(MEAN[NEW], STD[NEW]), 0.9, rows=None)
    for k in range(2):
        borders = [-np.inf, *edges[:, k], np.inf]
        for low, high in zip(borders[:-1], borders[1:], strict=True):
            old, new = ((low <= MEAN[part, k]) & (MEAN[part, k] < high) for part in (OLD, NEW))
            rows = [array[OLD][old, k : k + 1] for array in (MEAN, STD, TARGETS)]
            alone = conformalized(residual_band(*rows[:2]), rows[2]).predict_interval(
                residual_band(MEAN[NEW][new, k : k + 1], STD[NEW][new, k : k + 1]), 0.9, rows=None
            )
            np.testing.assert_array_equal(got.upper[new, k], alone.upper[:, 0])


@pytest.mark.parametrize("rows", [1, 5, 9, 10, 19, 20, 99, 1000])
@pytest.mark.parametrize("percent", [10, 50, 55, 70, 80, 90, 95, 99])
def test_quantile_has_the_finite_sample_rank(rows, percent):
    rank = -(-(rows + 1) * percent // 100)
    expected = rank if rank <= rows else math.inf
    assert conformal_quantile(np.arange(1.0, rows + 1), percent / 100) == expected
    assert (rows >= rows_needed(percent / 100)) == (rank <= rows)


def test_too_few_rows_give_infinite_intervals_and_say_so():
    few = conformalized(residual_band(MEAN[:18]), TARGETS[:18])
    with pytest.warns(InfiniteIntervalWarning, match=r"2 of 2 .* level 0.95 needs 19 .* target 0 has 18 in bin 0"):
        interval = few.predict_interval(residual_band(MEAN[NEW]), 0.95, rows=None)
    assert np.isneginf(interval.lower).all()
    assert np.isposinf(interval.upper).all()
    assert np.isfinite(
        conformalized(residual_band(MEAN[:19]), TARGETS[:19]).predict_interval(
            residual_band(MEAN[NEW]), 0.95, rows=None
        )
    ).all()


def test_only_small_bins_are_infinite():
    edges = np.array([[-9.0, -9.0]])
    with pytest.warns(InfiniteIntervalWarning, match="2 of 4 targets and bins.*has 0 in bin 0"):
        interval = conformalized(edges=edges).predict_interval(
            residual_band([[-10.0, 0.0]], np.ones((1, 2))), 0.9, rows=None
        )
    np.testing.assert_array_equal(np.isinf(interval.upper), [[True, False]])


def test_unmeasured_rows_are_left_out_of_their_target():
    targets = TARGETS[OLD].copy()
    targets[:100, 1] = np.nan
    got = conformalized(targets=targets)
    assert [[len(scores) for scores in target] for target in got.scores] == [[211], [111]]
    np.testing.assert_array_equal(got.scores[0][0], conformalized().scores[0][0])


def test_crossed_quantiles_end_as_a_point():
    conformal = conformalized(quantile_band(MEAN[OLD] - 9, MEAN[OLD] + 9))
    interval = conformal.predict_interval(quantile_band(MEAN[NEW] + 1, MEAN[NEW] - 1), 0.5, rows=None)
    np.testing.assert_allclose(interval.lower, MEAN[NEW])
    np.testing.assert_allclose(interval.upper, MEAN[NEW])


def test_json_round_trip():
    conformal = conformalized(edges=quantile_edges(MEAN, 3))
    again = SplitConformal.from_dict(json.loads(json.dumps(conformal.to_dict())))
    band = residual_band(MEAN[NEW], STD[NEW])
    for mine, theirs in zip(*(c.predict_interval(band, 0.8, rows=None) for c in (again, conformal)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert again.rows == conformal.rows
    one_bin = SplitConformal.from_dict(json.loads(json.dumps(conformalized().to_dict())))
    assert one_bin.edges.shape == (0, 2)
    for changes, message in (({"kind": "gamma"}, "Received: kind='gamma'"), ({"more": 1}, "with the keys")):
        with pytest.raises(ValueError, match=message):
            SplitConformal.from_dict(conformal.to_dict() | changes)


def test_rows_are_used_once():
    band = residual_band(MEAN[OLD])
    with pytest.raises(CalibrationError, match="1 of 211 rows are rows of 'valid' too, the first is row 210"):
        SplitConformal.conformalize(band, TARGETS[OLD], rows=ROWS[OLD], used={"valid": ROWS[210:]})
    conformal = SplitConformal.conformalize(band, TARGETS[OLD], rows=ROWS[OLD], used={"train": ROWS[NEW]})
    with pytest.raises(CalibrationError, match=r"10 of 10 rows of the calibration.*evaluate on other rows"):
        conformal.predict_interval(residual_band(MEAN[:10]), 0.9, rows=ROWS[:10])
    conformal.predict_interval(residual_band(MEAN[NEW]), 0.9, rows=ROWS[NEW])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: conformalized().predict_interval(residual_band(MEAN), 0.9, rows=None),
            "kind 'normalized'.*'absolute'",
        ),
        (lambda: conformalized().predict_interval(residual_band(MEAN, STD), 1.0, rows=None), "Received: 1.0"),
        (lambda: conformalized().predict_interval(residual_band(MEAN[:, :1], STD[:, :1]), 0.9, rows=None), "edges"),
        (lambda: conformalized(residual_band(MEAN)), r"one shape. Received: \(300, 2\) and \(211, 2\)"),
        (lambda: residual_band(MEAN, 0 * STD), "above 0. Received: 0"),
        (lambda: residual_band(MEAN, STD[0]), r"\(N, K\) of one shape"),
        (lambda: residual_band(MEAN[:, 0]), r"\(N, K\) of one shape"),
        (lambda: quantile_band(MEAN * np.nan, MEAN), "finite predictions"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


small = st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 4)), min_size=3, max_size=40)


def intervals(rows, levels, factor=1.0, offset=0.0):
    target, std = np.array(rows, dtype=float).T[..., None]
    conformal = conformalized(residual_band(0 * target + offset, factor * std), factor * target + offset)
    band = residual_band(np.full((1, 1), offset), np.full((1, 1), 2.0 * factor))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteIntervalWarning)
        return [conformal.predict_interval(band, level, rows=None) for level in levels]


@settings(deadline=None)
@given(small)
def test_intervals_grow_with_the_level(rows):
    widths = [(i.upper - i.lower).item() for i in intervals(rows, (0.1, 0.3, 0.5, 0.7, 0.9, 0.99))]
    assert widths == sorted(widths)


@settings(deadline=None)
@given(small, st.randoms(use_true_random=False))
def test_order_of_calibration_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert intervals(rows, (0.5, 0.9)) == intervals(shuffled, (0.5, 0.9))


@settings(deadline=None)
@given(small, st.sampled_from([0.01, 3.0, 1000.0]), st.integers(-5, 5))
def test_intervals_follow_the_unit(rows, factor, offset):
    for plain, scaled in zip(intervals(rows, (0.5, 0.8)), intervals(rows, (0.5, 0.8), factor, offset), strict=True):
        np.testing.assert_allclose(scaled.lower, factor * plain.lower + offset, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(scaled.upper, factor * plain.upper + offset, rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(small, st.sampled_from([0.3, 0.5, 0.8, 0.9]))
def test_leaving_one_row_out_covers_at_least_the_level_however_many_tie(rows, level):
    """The exact form of the promise: of n + 1 exchangeable rows at least the level is covered by the other n."""
    target, std = np.array(rows, dtype=float).T[..., None]
    covered = 0
    for index in range(len(rows)):
        others = np.delete(np.arange(len(rows)), index)
        conformal = conformalized(residual_band(0 * target[others], std[others]), target[others])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfiniteIntervalWarning)
            one = conformal.predict_interval(residual_band([[0.0]], std[[index]]), level, rows=None)
        covered += one.lower.item() <= target[index, 0] <= one.upper.item()
    assert covered >= math.ceil(round(level * len(rows), 9))
