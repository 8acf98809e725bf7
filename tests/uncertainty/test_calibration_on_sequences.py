"""Calibration of an ensemble on the simulated assay, where the truth is known; the members are ridge regressions."""

import numpy as np
import pytest

from degu.data import synthetic
from degu.errors import CalibrationError
from degu.metrics import calibration_band, calibration_curve, central_confidence, eval_gaussian, eval_intervals
from degu.uncertainty import (
    IsotonicRecalibration,
    SplitConformal,
    VarianceComponents,
    bin_index,
    decompose,
    quantile_edges,
    residual_band,
    row_digests,
)

LEVELS = (0.8, 0.9, 0.95)
SPLITS = synthetic(num_train=400, num_valid=300, num_test=2400, length=60, noise=0.4)
LENGTH = 3


def counts(tokens):
    """Counts of words of three letters, and 1."""
    words = np.lib.stride_tricks.sliding_window_view(tokens.astype(int), LENGTH, axis=1) @ 4 ** np.arange(LENGTH)
    table = np.stack([np.bincount(row, minlength=4**LENGTH) for row in words])
    return np.column_stack([table, np.ones(len(tokens))])


def predict(tokens):
    """Predict with members that were fitted to bootstrap samples of the train split: mean and epistemic std."""
    x, y, generator = counts(SPLITS.train.tokens), SPLITS.train.targets, np.random.default_rng(0)
    members = []
    for _ in range(10):
        rows = generator.integers(len(x), size=len(x))
        weights = np.linalg.solve(x[rows].T @ x[rows] + 5 * np.eye(x.shape[1]), x[rows].T @ y[rows])
        members.append(counts(tokens) @ weights)
    return decompose(members, np.zeros_like(members))[:2]


MEAN, EPISTEMIC = predict(SPLITS.test.tokens)
TARGETS = SPLITS.test.targets.astype(float)
ROWS = row_digests(SPLITS.test.tokens)
USED = {"train": row_digests(SPLITS.train.tokens), "valid": row_digests(SPLITS.valid.tokens)}
OLD, NEW = slice(0, 800), slice(800, None)


def test_epistemic_alone_covers_too_little():
    flat = eval_gaussian(MEAN, EPISTEMIC, TARGETS)
    for level in (80, 90, 95):
        assert flat[f"coverage_{level}/mean"] < level / 100 - 0.2


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("scaled", "num_bins"), [(False, 1), (True, 1), (True, 3)], ids=["plain", "scaled", "mondrian"]
)
def test_coverage_over_200_splits_of_one_test_set(level, scaled, num_bins):
    valid_mean, _ = predict(SPLITS.valid.tokens)
    edges, generator = quantile_edges(valid_mean, num_bins), np.random.default_rng(1)
    hits, total = np.zeros((2, num_bins)), np.zeros((2, num_bins))
    for _ in range(200):
        old, new = np.split(generator.permutation(len(ROWS)), [600])
        bands = [residual_band(MEAN[part], EPISTEMIC[part] if scaled else None) for part in (old, new)]
        conformal = SplitConformal.conformalize(bands[0], TARGETS[old], rows=ROWS[old], used=USED, edges=edges)
        lower, upper = conformal.predict_interval(bands[1], level, rows=ROWS[new])
        inside, bins = (lower <= TARGETS[new]) & (TARGETS[new] <= upper), bin_index(MEAN[new], edges)
        for k in range(2):
            hits[k] += np.bincount(bins[:, k], inside[:, k], minlength=num_bins)
            total[k] += np.bincount(bins[:, k], minlength=num_bins)
    error = np.sqrt(level * (1 - level) * num_bins / 600 / 200)
    assert np.all(hits / total > level - 4 * error)
    assert np.all(hits / total < level + 1.2 * num_bins / 600 + 4 * error)


def test_calibrated_models_are_within_the_band_and_epistemic_alone_is_not():
    parts = {"epistemic": EPISTEMIC[OLD]}
    fitted = VarianceComponents.fit(MEAN[OLD], parts, TARGETS[OLD], rows=ROWS[OLD], used=USED)
    isotonic = IsotonicRecalibration.fit(MEAN[OLD], EPISTEMIC[OLD], TARGETS[OLD], rows=ROWS[OLD], used=USED)
    total = fitted.transform({"epistemic": EPISTEMIC[NEW]}, rows=ROWS[NEW])
    probability = isotonic.probability(MEAN[NEW], EPISTEMIC[NEW], TARGETS[NEW], rows=ROWS[NEW])
    error, grid = TARGETS[NEW] - MEAN[NEW], np.linspace(0, 1, 201)
    # two samples stray: the calibration rows and the new ones
    band = calibration_band(800, 0.995) + calibration_band(1600, 0.995)
    for k in range(2):
        before = calibration_curve(central_confidence(error[:, k], EPISTEMIC[NEW, k]), grid)
        assert np.abs(before - grid).max() > 3 * band
        for levels in (central_confidence(error[:, k], total[:, k]), probability[:, k]):
            assert np.abs(calibration_curve(levels, grid) - grid).max() < band


def test_calibration_raises_every_score():
    fitted = VarianceComponents.fit(MEAN[OLD], {"epistemic": EPISTEMIC[OLD]}, TARGETS[OLD], rows=ROWS[OLD], used=USED)
    after = eval_gaussian(MEAN[NEW], fitted.transform({"epistemic": EPISTEMIC[NEW]}, rows=ROWS[NEW]), TARGETS[NEW])
    before = eval_gaussian(MEAN[NEW], EPISTEMIC[NEW], TARGETS[NEW])
    for metric in ("nll", "crps", "ence", "miscalibration_area", "interval_score_90"):
        assert after[f"{metric}/mean"] < before[f"{metric}/mean"]


def test_a_carved_split_serves_and_others_are_refused():
    splits = SPLITS.carve_calibration(0.25)
    rows = {name: row_digests(split.tokens) for name, split in splits.items()}
    used = {name: rows[name] for name in ("train", "valid")}
    bands = {name: residual_band(*predict(split.tokens)) for name, split in splits.items()}
    conformal = SplitConformal.conformalize(
        bands["calibration"], splits.calibration.targets, rows=rows["calibration"], used=used
    )
    interval = conformal.predict_interval(bands["test"], 0.9, rows=rows["test"])
    assert eval_intervals({0.9: interval}, splits.test.targets)["coverage_90/mean"] == pytest.approx(0.9, abs=0.04)
    with pytest.raises(CalibrationError, match="300 of 300 rows are rows of 'valid' too"):
        SplitConformal.conformalize(bands["valid"], splits.valid.targets, rows=rows["valid"], used=used)
    with pytest.raises(CalibrationError, match="600 of 600 rows of the calibration"):
        conformal.predict_interval(bands["calibration"], 0.9, rows=rows["calibration"])
