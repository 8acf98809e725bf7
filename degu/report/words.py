"""Results in words and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Mapping

from degu.report.scores import AVERAGE, Gain, Score
from degu.report.study import Study

METRICS = {
    "mse": "MSE",
    "pearson_r": "Pearson r",
    "spearman_rho": "Spearman rho",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "f1": "F1",
    "accuracy": "accuracy",
    "nll": "NLL",
    "crps": "CRPS",
    "miscalibration_area": "miscalibration area",
    "ence": "ENCE",
    "uncertainty_error_spearman": "Spearman with error",
    "ause": "AUSE",
    "aurg": "AURG",
}
KINDS = {
    "epistemic": "epistemic",
    "aleatoric": "aleatoric",
    "total": "total",
    "total_calibrated": "total, calibrated",
}


def number(value: float | None) -> str:
    """Return a number as text: four decimals, or three digits where four decimals would not do."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def with_interval(score: Score) -> str:
    """Return a value with its confidence interval, if it has one."""
    if score.low is None or score.high is None or math.isnan(score.low):
        return number(score.value)
    return f"{number(score.value)} ({number(score.low)} to {number(score.high)})"


def percent(value: float) -> str:
    """Return a fraction as a percentage."""
    return f"{100 * value:.0f} %"


def metric_label(metric: str) -> str:
    """Return a metric's name for readers."""
    return METRICS.get(metric, metric.replace("_", " "))


def result_sentence(study: Study, gains: Mapping[str, Gain]) -> str:
    """Say in one sentence who predicts best; where an interval holds 0, that it is not clear.

    Args:
        study: The study.
        gains: Those of `compare_scores`.
    """
    gain = gains.get(AVERAGE)
    if gain is None:
        return "This study has no comparison of single models, ensemble and student on a test split."
    return f"{_of_ensemble(study, gain)}; {_of_student(gain)}."


def _of_ensemble(study: Study, gain: Gain) -> str:
    found: Mapping[str, float] = study.metrics
    prefix = f"test/{study.family}/{study.headline}"
    single, ensemble = (number(found[f"{prefix}/{row}/{AVERAGE}"]) for row in ("single_mean", "ensemble"))
    over = "" if len(study.targets) == 1 else f", averaged over {len(study.targets)} targets"
    verdict = {1: "better than", -1: "worse than", 0: "neither clearly better nor clearly worse than"}
    return (
        f"The ensemble of {study.num_members} predicts the test sequences {verdict[_direction(gain.ensemble)]} "
        f"a single model: {metric_label(study.headline)} {ensemble} against {single}{over}, "
        f"a difference of {_size(gain.ensemble)}"
    )


def _of_student(gain: Gain) -> str:
    behind, ahead = _direction(gain.behind), _direction(gain.student)
    if ahead < 0:
        return f"the student, one network, loses: it is worse than a single model by {_size(gain.student)}"
    if behind > 0:
        return f"the student, one network, is even better than the ensemble by {_size(gain.behind)}"
    if gain.kept is not None and gain.kept.low is not None and gain.kept.high is not None:
        bounds = f"(95 % interval {percent(gain.kept.low)} to {percent(gain.kept.high)})"
        if ahead > 0:
            return f"the student, one network, keeps {percent(gain.kept.value)} of that gain {bounds}"
        return f"the student, one network, keeps no clear part of that gain: {percent(gain.kept.value)} {bounds}"
    if behind < 0:
        return f"the student, one network, is worse than the ensemble by {_size(gain.behind)}"
    return f"the student, one network, differs from the ensemble by {_size(gain.behind)}, which is not clear"


def _direction(score: Score) -> int:
    """Return 1 or -1 where a difference is clearly above or below 0; without an interval, its sign."""
    low, high = (score.value if bound is None else bound for bound in (score.low, score.high))
    return 1 if low > 0 else -1 if high < 0 else 0


def _size(score: Score) -> str:
    size = number(abs(score.value))
    if score.low is None or score.high is None:
        return f"{size} (without a confidence interval)"
    low, high = sorted((score.low, score.high)) if score.value >= 0 else sorted((-score.high, -score.low))
    return f"{size} (95 % interval {number(low)} to {number(high)})"
