"""Coverage of intervals over many splits of the same rows into rows to calibrate on and rows to evaluate.

One split says little: its coverage has the binomial error of the rows it is counted on, and that of the rows it was
calibrated on. The rows being given, splits drawn at random are independent repetitions, so their mean coverage is
known to that error divided by the square root of their number.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from degu.evaluation.calibration import Calibrator
from degu.evaluation.evidence import Evidence, drawn_for_calibration
from degu.evaluation.uncertainty import Intervals, predicted_stds
from degu.metrics import gaussian_interval
from degu.uncertainty import Spread, bin_index

CONFORMAL = ("conformal_absolute", "conformal_normalized", "conformal_mondrian")
LEVELS = (0.8, 0.9, 0.95)
_ERRORS = 3.0
"""Standard errors of the mean coverage within which a promise counts as kept."""


class Coverage(NamedTuple):
    """Coverage of one kind of interval over S splits.

    Attributes:
        row: The model.
        method: A key of `degu.evaluation.calibration.METHODS`, or the kind of predicted standard deviation that the
            interval is made of without calibration: `"epistemic"`, `"aleatoric"`, `"total"`.
        target: Name of the target.
        bin: Bin of predicted activity, 1 for the lowest; 0 for all rows.
        level: Confidence level.
        coverage: Mean over splits of the part of the measurements inside.
        sd: Standard deviation of that part over splits.
        expected_sd: What it is for conformal intervals, whatever the model: that of a beta-binomial.
        low: Lower end of where the mean coverage lies if the promise is kept: the level, less three standard errors
            of a mean of S splits.
        high: Upper end: the level, the most that a conformal interval exceeds it by, `1 / (n + 1)`, and three standard
            errors.
        width: Mean width in the unit of the target.
        calibrated: Mean number n of rows that were calibrated on.
        evaluated: Mean number of rows that coverage was counted on.
    """

    row: str
    method: str
    target: str
    bin: int
    level: float
    coverage: float
    sd: float
    expected_sd: float
    low: float
    high: float
    width: float
    calibrated: float
    evaluated: float

    @property
    def is_kept(self) -> bool:
        """Whether the mean coverage is within its error of the level."""
        return self.low <= self.coverage <= self.high


class _Count(NamedTuple):
    inside: float
    width: float
    calibrated: int
    evaluated: int


def repeated_coverage(
    valid: Evidence,
    evidence: Evidence,
    names: Sequence[str],
    spread: Spread,
    *,
    methods: Sequence[str] = CONFORMAL,
    confidence_levels: Sequence[float] = LEVELS,
    num_splits: int = 200,
    fraction: float = 0.5,
    num_bins: int = 3,
    seed: int = 0,
) -> list[Coverage]:
    """Calibrate on a part of the rows and count coverage on the rest, many times.

    Args:
        valid: Rows of early stopping, for bins and quantile lines.
        evidence: Rows that nothing was trained or stopped on, with the models' predictions.
        names: The K target names.
        spread: The uncertainty function whose unit the epistemic columns have.
        methods: Keys of `degu.evaluation.calibration.METHODS`.
        confidence_levels: Each above 0 and below 1.
        num_splits: Splits S, at least 2.
        fraction: Share of the different sequences that is calibrated on.
        num_bins: Bins of predicted activity.
        seed: Seed of the splits.

    Returns:
        One entry a model, method, target, bin and level, in this order; uncalibrated intervals come first.

    Raises:
        ValueError: With fewer than two splits.
    """
    if num_splits < 2:
        raise ValueError(f"Expected num_splits of at least 2. Received: {num_splits!r}")
    short = np.unique(evidence.digests, return_inverse=True)[1].astype(np.str_)
    evidence, found = evidence._replace(digests=short), defaultdict(list)
    for split in range(num_splits):
        drawn = drawn_for_calibration(short, fraction, seed * num_splits + split)
        calibration, rest = evidence.select(drawn), evidence.select(~drawn)
        for row in evidence.predictions:
            calibrator = Calibrator(row, valid, calibration, rest, {}, spread, num_bins)
            for method, intervals in _all_intervals(calibrator, methods, confidence_levels):
                for key, count in _counts(calibrator, intervals, names):
                    found[row, method, *key].append(count)
    return [_summary(key, counts) for key, counts in found.items()]


def _all_intervals(
    calibrator: Calibrator, methods: Sequence[str], levels: Sequence[float]
) -> Iterator[tuple[str, Intervals]]:
    prediction = calibrator.evaluation.predictions[calibrator.row]
    for kind, std in predicted_stds(prediction, calibrator.spread).items():
        yield kind, {level: gaussian_interval(prediction.mean, std, level) for level in levels}
    for method in methods:
        yield method, calibrator.intervals(method, levels)


def _counts(
    calibrator: Calibrator, intervals: Intervals, names: Sequence[str]
) -> Iterator[tuple[tuple[str, int, float], _Count]]:
    """Yield what one split counts, by target, bin and level; a target without such an interval has none."""
    parts = calibrator.calibration, calibrator.evaluation
    bins = [bin_index(part.predictions[calibrator.row].mean, calibrator.edges) + 1 for part in parts]
    for level, (lower, upper) in intervals.items():
        for column, name in enumerate(names):
            known = [np.isfinite(part.measured[:, column]) for part in parts]
            known[1] &= np.isfinite(lower[:, column])
            for index in range(calibrator.num_bins + 1):
                chosen = [(index == 0) | (where[:, column] == index) for where in bins]
                old, new = known[0] & chosen[0], known[1] & chosen[1]
                if new.any():
                    measured, low, high = (values[new, column] for values in (parts[1].measured, lower, upper))
                    inside = ((low <= measured) & (measured <= high)).mean()
                    yield (name, index, level), _Count(inside, float((high - low).mean()), int(old.sum()), len(low))


def _summary(key: tuple[str, str, str, int, float], counts: Sequence[_Count]) -> Coverage:
    inside, width, calibrated, evaluated = np.array(counts, dtype=np.float64).T
    level, rows = key[-1], calibrated.mean()
    expected = _expected_sd(level, round(rows), round(evaluated.mean()))
    error = _ERRORS * expected / math.sqrt(len(counts))
    return Coverage(
        *key,
        coverage=float(inside.mean()),
        sd=float(inside.std(ddof=1)),
        expected_sd=expected,
        low=level - error,
        high=level + 1 / (rows + 1) + error,
        width=float(width.mean()),
        calibrated=float(rows),
        evaluated=float(evaluated.mean()),
    )


def _expected_sd(level: float, calibrated: int, evaluated: int) -> float:
    """Return the standard deviation of a split's coverage: m rows below the k-th of n exchangeable scores.

    References:
        Vovk (2012), "Conditional validity of inductive conformal predictors", arXiv:1209.2673 (the beta distribution).
    """
    rank = min(math.ceil(round((calibrated + 1) * level, 9)), calibrated)
    if rank < 1:
        return math.nan
    return float(stats.betabinom(evaluated, rank, calibrated + 1 - rank).std() / evaluated)


def coverage_rows(found: Sequence[Coverage]) -> list[Mapping[str, object]]:
    """Return coverages as rows of a table, with `is_kept` as the last column."""
    return [{**coverage._asdict(), "is_kept": coverage.is_kept} for coverage in found]
