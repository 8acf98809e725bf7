"""The promises of conformal intervals, checked by counting over repeated splits."""

import numpy as np
import pytest

from degu.uncertainty import (
    QuantileLines,
    SplitConformal,
    bin_index,
    quantile_edges,
    residual_band,
    row_digests,
)

LEVELS = (0.8, 0.9, 0.95)
SPLITS = 200
CALIBRATION, TEST = 200, 400


def simulate(seed, rows=CALIBRATION + TEST + 100):
    """Predictions of a model of heteroscedastic, skewed measurements.

    Its mean is biased in the middle of the range, and its standard deviation is wrong by a factor of 0.1 to 1.6 that
    differs from row to row.
    """
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=(rows, 1))
    noise = 0.3 + 0.7 * np.abs(truth)
    targets = truth + noise * (generator.gamma(2.0, size=(rows, 1)) - 2) / np.sqrt(2)
    mean = truth + 0.2 * np.cos(truth) + 0.1 * generator.normal(size=(rows, 1))
    std = noise * np.exp(generator.uniform(np.log(0.1), np.log(1.6), size=(rows, 1)))
    return mean, std, targets


def parts(seed):
    mean, std, targets = simulate(seed)
    cuts = [CALIBRATION, CALIBRATION + TEST]
    return zip(*(np.split(array, cuts) for array in (mean, std, targets)), strict=True)


def absolute(mean, std, level):
    return residual_band(mean)


def normalized(mean, std, level):
    return residual_band(mean, std)


class Lines:
    """Conformalised quantile regression; the lines are fitted on other rows."""

    def __init__(self):
        mean, std, targets = simulate(10_000)
        self.lines = {level: QuantileLines.fit(mean, std, targets, level) for level in LEVELS}

    def __call__(self, mean, std, level):
        return self.lines[level].predict(mean, std)


def covered(make, level, num_bins=1):
    """Return for each split and each test row whether it was covered, and its bin."""
    hits, bins = [], []
    for seed in range(SPLITS):
        calibration, test, other = parts(seed)
        edges = quantile_edges(other[0], num_bins)
        conformal = SplitConformal.conformalize(
            make(*calibration[:2], level), calibration[2], rows=row_digests(calibration[2]), used={}, edges=edges
        )
        interval = conformal.predict_interval(make(*test[:2], level), level, rows=row_digests(test[2]))
        hits.append(((interval.lower <= test[2]) & (test[2] <= interval.upper))[:, 0])
        bins.append(bin_index(test[0], edges)[:, 0])
    return np.array(hits), np.array(bins)


def spread(rate, calibrated, tested):
    """Return the standard deviation of a split's coverage: beta-binomial with `calibrated` rows."""
    return np.sqrt(rate * (1 - rate) / tested * (1 + (tested - 1) / (calibrated + 2)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("make", [absolute, normalized, Lines()], ids=["absolute", "normalized", "quantile"])
def test_marginal_coverage_is_exact_whatever_the_model(make, level):
    hits, _ = covered(make, level)
    exact = np.ceil(round((CALIBRATION + 1) * level, 9)) / (CALIBRATION + 1)
    error = spread(exact, CALIBRATION, TEST)
    assert level <= exact < level + 1 / (CALIBRATION + 1)
    assert hits.mean() == pytest.approx(exact, abs=4 * error / np.sqrt(SPLITS))
    rates = hits.mean(axis=1)
    assert np.mean(np.abs(rates - exact) > 3 * error) < 0.03
    assert rates.std() == pytest.approx(error, rel=0.25)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("make", [absolute, normalized], ids=["absolute", "normalized"])
def test_mondrian_coverage_holds_in_every_bin(make, level):
    hits, bins = covered(make, level, num_bins=4)
    for index in range(4):
        inside = bins == index
        rate = hits[inside].mean()
        rows = CALIBRATION / 4
        error = spread(level, rows, TEST / 4) / np.sqrt(SPLITS)
        assert level - 4 * error < rate < level + 1.1 / (rows + 1) + 4 * error


def test_one_bin_covers_some_predictions_too_often_and_others_too_rarely():
    hits, _ = covered(absolute, 0.9)
    _, bins = covered(absolute, 0.9, num_bins=4)
    rates = [hits[bins == index].mean() for index in range(4)]
    assert min(rates) < 0.88
    assert max(rates) > 0.93


def test_normalised_scores_follow_the_noise():
    """With a standard deviation that is right up to a factor, coverage is even and intervals are narrower."""
    rates, widths = {}, {}
    for name, known in (("absolute", False), ("normalized", True)):
        found = [one_split(seed, known) for seed in range(50)]
        rates[name], widths[name] = np.mean([rate for rate, _ in found], axis=0), np.mean([width for _, width in found])
    assert rates["normalized"] == pytest.approx([0.9, 0.9], abs=0.01)
    quiet, loud = rates["absolute"]
    assert quiet > 0.98
    assert loud < 0.83
    assert widths["normalized"] < widths["absolute"]


def one_split(seed, known):
    """Return the coverage of rows of less and of more noise than the median, and the mean width."""
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0.1, 2.0, (2000, 1))
    targets = noise * generator.normal(size=(2000, 1))
    old, new = (residual_band(0 * part, 0.3 * part if known else None) for part in np.split(noise, 2))
    conformal = SplitConformal.conformalize(old, targets[:1000], rows=row_digests(targets[:1000]), used={})
    lower, upper = conformal.predict_interval(new, 0.9, rows=row_digests(targets[1000:]))
    inside = (lower <= targets[1000:]) & (targets[1000:] <= upper)
    quiet = noise[1000:] < np.median(noise)
    return (inside[quiet].mean(), inside[~quiet].mean()), (upper - lower).mean()
