"""The comparison that a study is made for: single models, their ensemble, its student.

Keys are `<split>/<family>/<metric>/<row>/<target>`; the rows are `single_mean` and `single_sd` (over members),
`ensemble` and `student`. The family `epistemic` compares the student's epistemic column with the ensemble's, and
`agreement` its mean with the ensemble's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from degu.ensemble.prediction import Prediction
from degu.metrics import eval_regression, flatten

EvalFun = Callable[..., Any]


def member_metrics(
    mean: ArrayLike, measured: ArrayLike, eval_fun: EvalFun, names: Sequence[str], prefix: str
) -> dict[str, float]:
    """Return the metrics of one network's means against the measurements, keys `<prefix><metric>/<target>`."""
    return flatten(eval_fun(mean, measured, names=names), names, prefix)


def student_metrics(student: Prediction, ensemble: Prediction, names: Sequence[str], split: str) -> dict[str, float]:
    """Return how well a student repeats its ensemble, keys `<split>/epistemic|agreement/<metric>/<target>`."""
    pairs = {"epistemic": (student.epistemic, ensemble.epistemic), "agreement": (student.mean, ensemble.mean)}
    if student.aleatoric is not None:
        pairs["aleatoric"] = (student.aleatoric, ensemble.aleatoric)
    flat: dict[str, float] = {}
    for family, (mine, theirs) in pairs.items():
        assert mine is not None
        assert theirs is not None
        flat |= flatten(eval_regression(mine, theirs, names=names), names, f"{split}/{family}/")
    return flat


def compare(
    split: str,
    family: str,
    names: Sequence[str],
    measured: ArrayLike,
    ensemble: Prediction,
    student: Prediction,
    eval_fun: EvalFun,
) -> dict[str, float]:
    """Compare single models, ensemble and student on one split.

    Args:
        split: Name of the split, the first part of every key.
        family: Name of the metric family, for example `"regression"`.
        names: The K target names.
        measured: Measurements `(N, K)`; NaN means not measured.
        ensemble: The ensemble's prediction, with its members.
        student: The student's prediction.
        eval_fun: `eval_fun(predictions, targets, names=names)` giving a NamedTuple of `(K,)` arrays.

    Returns:
        A flat dictionary; see the module's first lines for its keys.
    """
    assert ensemble.members is not None
    singles = [member_metrics(member, measured, eval_fun, names, "") for member in ensemble.members]
    rows = {
        "single_mean": {key: float(np.mean([single[key] for single in singles])) for key in singles[0]},
        "ensemble": member_metrics(ensemble.mean, measured, eval_fun, names, ""),
        "student": member_metrics(student.mean, measured, eval_fun, names, ""),
    }
    if len(singles) > 1:
        rows["single_sd"] = {key: float(np.std([single[key] for single in singles], ddof=1)) for key in singles[0]}
    flat = {}
    for row, metrics in rows.items():
        for key, value in metrics.items():
            metric, _, target = key.partition("/")
            flat[f"{split}/{family}/{metric}/{row}/{target}"] = value
    for key, value in student_metrics(student, ensemble, names, "").items():
        _, kind, metric, target = key.split("/", 3)
        flat[f"{split}/{kind}/{metric}/student/{target}"] = value
    return flat
