"""The comparison of single models, ensemble and student with confidence intervals over the test sequences.

Scores and their bootstrap samples are named `<metric>/<row>/<target>`, as in `results.json` behind split and family.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.metrics import HIGHER_IS_BETTER, Bootstrap
from degu.metrics.activity import ACTIVITY_METRICS
from degu.metrics.counted import ColumnStatistics, Statistic
from degu.report.arrays import HeldOut
from degu.report.study import ROWS, Study

AVERAGE = "mean"
"""The plain average over targets, as the metrics call it."""

BOOTSTRAP = Bootstrap(num_resamples=500)

# A stored value that the arrays do not give again was computed in another way, and has no interval from here.
_SAME = 1e-5


class Score(NamedTuple):
    """A value and its 95 % confidence interval; the bounds are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


class Gain(NamedTuple):
    """What an ensemble and its student gain on one target over a single model, in the headline metric.

    Differences are counted so that above 0 is better. A single model is the average over the members.

    Attributes:
        ensemble: Ensemble against single model.
        student: Student against single model.
        behind: Student against ensemble.
        kept: Part of the ensemble's gain that the student keeps; None where that gain is not clearly above 0.
    """

    ensemble: Score
    student: Score
    behind: Score
    kept: Score | None


class Comparison(NamedTuple):
    """All scores of a study.

    Attributes:
        scores: By name; the values are those of `results.json`. Single models have no interval, but a deviation over
            members there.
        gains: By target, and `"mean"` for the average over targets.
    """

    scores: Mapping[str, Score]
    gains: Mapping[str, Gain]


def compare_scores(study: Study, bootstrap: Bootstrap = BOOTSTRAP) -> Comparison:
    """Return the scores of a study and what they gain.

    Args:
        study: The study; without its test arrays no score has an interval.
        bootstrap: How the intervals are found. All scores see the same samples of sequences.
    """
    values = {
        name: study.metrics[key]
        for metric in study.shown_metrics
        for row in ROWS
        for target in (*study.targets, AVERAGE)
        if (key := f"test/{study.family}/{(name := f'{metric}/{row}/{target}')}") in study.metrics
    }
    samples = {} if study.arrays is None else _samples(study, study.arrays, values, bootstrap)
    scores = {
        name: Score(value, *bootstrap.interval(samples[name])) if name in samples else Score(value)
        for name, value in values.items()
        if "/single_mean/" not in name
    }
    gains = {}
    for target in (*study.targets, AVERAGE):
        names = [f"{study.headline}/{row}/{target}" for row in ROWS]
        if all(name in values for name in names):
            sign = 1.0 if HIGHER_IS_BETTER.get(study.headline, True) else -1.0
            drawn = [sign * samples[name] for name in names if name in samples]
            gains[target] = _gain([sign * values[name] for name in names], drawn, bootstrap)
    return Comparison(scores, gains)


def _samples(study: Study, arrays: HeldOut, values: Mapping[str, float], bootstrap: Bootstrap) -> dict[str, NDArray]:
    """Return the scores of ensemble and student in every sample, and those of the average member."""
    once = np.ones(len(arrays.measured))
    statistics: dict[str, Statistic] = {}
    for name, value in values.items():
        metric, row, target = name.split("/", 2)
        if metric in ACTIVITY_METRICS and row != "single_mean" and target != AVERAGE:
            statistic = _statistic(arrays, metric, getattr(arrays, row).mean, target)
            if np.isclose(statistic(once), value, rtol=_SAME, atol=_SAME):
                statistics[name] = statistic
    members = arrays.ensemble.members
    for target in study.targets:
        if f"{study.headline}/ensemble/{target}" in statistics and members is not None:
            for index, member in enumerate(members):
                name = f"{study.headline}/member {index}/{target}"
                statistics[name] = _statistic(arrays, study.headline, member, target)
    return _averaged(bootstrap.replicates(ColumnStatistics(len(once), statistics)), study)


def _statistic(arrays: HeldOut, metric: str, mean: NDArray, target: str) -> Statistic:
    """Return the metric of one target as a statistic of all rows, measured or not."""
    column = arrays.names.index(target)
    rows = np.flatnonzero(np.isfinite(arrays.measured[:, column]))
    prediction, measured = (np.asarray(values[rows, column], np.float64) for values in (mean, arrays.measured))
    statistic = ACTIVITY_METRICS[metric](prediction, measured)
    return lambda counts: statistic(counts[rows])


def _averaged(samples: dict[str, NDArray], study: Study) -> dict[str, NDArray]:
    """Replace the members by their average, and add the averages over targets."""
    averaged = {name: values for name, values in samples.items() if "/member " not in name}
    for target in study.targets:
        members = [f"{study.headline}/member {index}/{target}" for index in range(study.num_members)]
        if all(name in samples for name in members):
            averaged[f"{study.headline}/single_mean/{target}"] = np.mean([samples[name] for name in members], axis=0)
    for metric in study.shown_metrics:
        for row in ROWS:
            names = [f"{metric}/{row}/{target}" for target in study.targets]
            if all(name in averaged for name in names):
                averaged[f"{metric}/{row}/{AVERAGE}"] = np.mean([averaged[name] for name in names], axis=0)
    return averaged


def _gain(values: list[float], samples: list[NDArray], bootstrap: Bootstrap) -> Gain:
    """Return the gains from single model, ensemble and student, in that order, above is better."""
    single, ensemble, student = values
    if len(samples) < len(values):
        return Gain(Score(ensemble - single), Score(student - single), Score(student - ensemble), None)
    singles, ensembles, students = samples
    gain = Score(ensemble - single, *bootstrap.interval(ensembles - singles))
    kept = None
    if gain.low is not None and gain.low > 0:
        ratios = (students - singles) / np.where(ensembles > singles, ensembles - singles, np.nan)
        kept = Score((student - single) / (ensemble - single), *bootstrap.interval(ratios))
    return Gain(
        ensemble=gain,
        student=Score(student - single, *bootstrap.interval(students - singles)),
        behind=Score(student - ensemble, *bootstrap.interval(students - ensembles)),
        kept=kept,
    )
