"""The comparison that a study is made for: single models, their ensemble, its student.

Keys are `<split>/<family>/<metric>/<row>/<target>`; the rows are `single_mean` and `single_sd` (over members),
`ensemble` and `student`. Beside the family of the activity there are:

* `aleatoric`: predicted noise of `ensemble` and `student` against the standard deviation over replicates.
* `agreement`, `epistemic`, `aleatoric_agreement`: mean, epistemic and aleatoric columns of the `student` against the
  ensemble's.

A target whose noise is not predicted, or not measured, is left out of the aleatoric families and of their `mean`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.ensemble.prediction import Prediction
from degu.metrics import eval_regression, flatten

EvalFun = Callable[..., Any]


def member_metrics(
    mean: ArrayLike, measured: ArrayLike, eval_fun: EvalFun, names: Sequence[str], prefix: str
) -> dict[str, float]:
    """Return the metrics of one network's means against the measurements, keys `<prefix><metric>/<target>`."""
    return flatten(eval_fun(mean, measured, names=names), names, prefix)


def student_metrics(student: Prediction, ensemble: Prediction, names: Sequence[str], split: str) -> dict[str, float]:
    """Return how well a student repeats its ensemble, keys `<split>/<family>/<metric>/<target>`.

    The families are `agreement`, `epistemic` and, where the models predict it, `aleatoric_agreement`.
    """
    flat: dict[str, float] = {}
    for family, mine, theirs in (
        ("epistemic", student.epistemic, ensemble.epistemic),
        ("agreement", student.mean, ensemble.mean),
        ("aleatoric_agreement", student.aleatoric, ensemble.aleatoric),
    ):
        flat |= _regression(mine, theirs, names, f"{split}/{family}/")
    return flat


def noise_metrics(
    prediction: Prediction, measured_std: ArrayLike | None, names: Sequence[str], prefix: str
) -> dict[str, float]:
    """Return how well predicted noise fits replicates, keys `<prefix><metric>/<target>`.

    Args:
        prediction: Of an ensemble or a student.
        measured_std: Standard deviations over replicates `(N, K)`, NaN where unknown; None without replicates.
        names: The K target names.
        prefix: For example `"test/aleatoric/"`.

    Returns:
        Metrics of the targets that have both; empty where there are none.
    """
    return _regression(prediction.aleatoric, measured_std, names, prefix)


def compare(
    split: str,
    family: str,
    names: Sequence[str],
    measured: ArrayLike,
    ensemble: Prediction,
    student: Prediction,
    eval_fun: EvalFun,
    measured_std: ArrayLike | None = None,
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
        measured_std: Standard deviations over replicates `(N, K)`, or None.

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
    flat: dict[str, float] = {}
    for row, metrics in rows.items():
        flat |= _named(metrics, f"{split}/{family}", row)
    for row, prediction in (("ensemble", ensemble), ("student", student)):
        flat |= _named(noise_metrics(prediction, measured_std, names, ""), f"{split}/aleatoric", row)
    for key, value in student_metrics(student, ensemble, names, split).items():
        _, kind, metric = key.split("/", 2)
        flat |= _named({metric: value}, f"{split}/{kind}", "student")
    return flat


def _named(metrics: dict[str, float], prefix: str, row: str) -> dict[str, float]:
    """Put the row between metric and target."""
    parts = {key: key.partition("/") for key in metrics}
    return {f"{prefix}/{metric}/{row}/{target}": metrics[key] for key, (metric, _, target) in parts.items()}


def _regression(
    mine: ArrayLike | None, theirs: ArrayLike | None, names: Sequence[str], prefix: str
) -> dict[str, float]:
    """Compare the columns that both have."""
    if mine is None or theirs is None:
        return {}
    mine, theirs = np.asarray(mine), np.asarray(theirs)
    shown = [index for index in range(len(names)) if _has_values(mine, index) and _has_values(theirs, index)]
    if not shown:
        return {}
    kept = [names[index] for index in shown]
    return flatten(eval_regression(mine[:, shown], theirs[:, shown], names=kept), kept, prefix)


def _has_values(columns: NDArray, index: int) -> bool:
    return not np.isnan(columns[:, index]).all()
