"""How models answer away from their training distribution.

How far does the student still follow its ensemble, does the uncertainty say that the sequences are unfamiliar, and how
large is the error where something is measured?

Keys are `<split>/shift/<set>/<metric>/<row>/<target>`; metrics of the mean against the ensemble's have the row
`student`, the others `ensemble` and `student`:

* `mse`, `normalized_mse`, `pearson_r`: means against the ensemble's mean. Far from the training data predictions shrink
  towards one value, which makes a small error easy; `normalized_mse` divides by the variance of the ensemble's mean.
* `epistemic_pearson_r`, `epistemic_spearman_rho`: the student's epistemic standard deviation against the ensemble's.
* `epistemic_auroc`: probability that a shifted sequence has a larger epistemic value than an unshifted one, ties
  counted half. 0.5 says that the uncertainty does not tell them apart.
* `epistemic_std_ratio`: mean epistemic standard deviation over that of the unshifted sequences.
* `measured_<metric>`: means against measurements, where there are some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from degu.ensemble.prediction import Prediction
from degu.evaluation.comparison import EvalFun
from degu.evaluation.shifted_sets import ShiftedSet
from degu.metrics import eval_regression
from degu.uncertainty import Spread

Predict = Callable[[NDArray], Prediction]
TEACHER = "ensemble"


def shift_metrics(
    split: str,
    names: Sequence[str],
    sets: Sequence[ShiftedSet],
    predict: Mapping[str, Predict],
    spread: Spread,
    eval_fun: EvalFun = eval_regression,
) -> dict[str, float]:
    """Evaluate models on shifted sequences.

    Args:
        split: Name of the split that the sets are made of, the first part of every key.
        names: The K target names.
        sets: The unshifted sequences, then the shifted ones.
        predict: From tokens `(N, L)` to a prediction with an epistemic column, by row; one of them is `"ensemble"`.
        spread: The uncertainty function whose unit the epistemic columns have.
        eval_fun: `eval_fun(predictions, targets, names=names)` for measurements.

    Returns:
        A flat dictionary; see the module's first lines for its keys. The target `mean` is the plain average.
    """
    flat: dict[str, float] = {}
    usual: Mapping[str, NDArray] = {}
    for part in sets:
        answers = {row: model(part.tokens) for row, model in predict.items()}
        stds = {row: _epistemic_std(answer, spread) for row, answer in answers.items()}
        usual = usual or stds
        for row, answer in answers.items():
            columns = uncertainty_shift(usual[row], stds[row])
            if row != TEACHER:
                columns |= agreement(answer.mean, answers[TEACHER].mean, names)
                columns |= epistemic_agreement(stds[row], stds[TEACHER])
            if part.measured is not None:
                columns |= _measured(answer.mean, part.measured, names, eval_fun)
            flat |= _flat(f"{split}/shift/{part.name}", row, names, columns)
    return flat


def agreement(mean: ArrayLike, teacher: ArrayLike, names: Sequence[str] | None = None) -> dict[str, NDArray]:
    """Return `mse`, `normalized_mse` and `pearson_r` of means `(N, K)` against a teacher's, each `(K,)`."""
    mse, pearson_r, _ = eval_regression(mean, teacher, names=names)
    variance = np.var(np.asarray(teacher, dtype=np.float64), axis=0)
    normalized = np.divide(mse, variance, out=np.full_like(mse, np.nan), where=variance > 0)
    return {"mse": mse, "normalized_mse": normalized, "pearson_r": pearson_r}


def epistemic_agreement(std: NDArray, teacher: NDArray) -> dict[str, NDArray]:
    """Return `epistemic_pearson_r` and `epistemic_spearman_rho` of standard deviations `(N, K)`, each `(K,)`.

    Both are NaN for a target of which one of them is constant.
    """
    ranks = (stats.rankdata(values, axis=0) for values in (std, teacher))
    return {"epistemic_pearson_r": _correlations(std, teacher), "epistemic_spearman_rho": _correlations(*ranks)}


def uncertainty_shift(usual: NDArray, shifted: NDArray) -> dict[str, NDArray]:
    """Return `epistemic_auroc` and `epistemic_std_ratio` of shifted against unshifted sequences, each `(K,)`.

    Args:
        usual: Epistemic standard deviations of unshifted sequences, `(N, K)`.
        shifted: Those of shifted sequences, `(M, K)`.
    """
    areas = [auroc(inside, outside) for inside, outside in zip(usual.T, shifted.T, strict=True)]
    return {
        "epistemic_auroc": np.array(areas),
        "epistemic_std_ratio": shifted.mean(axis=0, dtype=np.float64) / usual.mean(axis=0, dtype=np.float64),
    }


def auroc(negatives: ArrayLike, positives: ArrayLike) -> float:
    """Return the probability that a positive has the larger value, ties counted half.

    Args:
        negatives: Shape (n,).
        positives: Shape (m,).

    Example:
        >>> auroc([1.0, 2.0], [2.0, 3.0])
        0.875

    References:
        Hanley, McNeil (1982), doi:10.1148/radiology.143.1.7063747 (it is the Mann-Whitney statistic). Hendrycks, Gimpel
        (2017), "A baseline for detecting misclassified and out-of-distribution examples", arXiv:1610.02136.
    """
    below, above = np.asarray(negatives), np.asarray(positives)
    ranks = stats.rankdata(np.concatenate([below, above]))[len(below) :]
    larger = ranks.sum() - len(above) * (len(above) + 1) / 2
    return float(larger / (len(below) * len(above)))


def shift_rows(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return shift metrics as rows of a table: `set`, `row`, `target`, and every metric under its name.

    Args:
        metrics: Flat metrics; those of other families are passed over.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for key, value in metrics.items():
        parts = key.split("/", 5)
        if len(parts) == 6 and parts[1] == "shift":
            kind, metric, row, target = parts[2:]
            found = rows.setdefault((kind, row, target), {"set": kind, "row": row, "target": target})
            found[metric] = value
    return list(rows.values())


def _correlations(one: NDArray, other: NDArray) -> NDArray:
    """Return the Pearson correlation of every column, NaN where one is constant."""
    one, other = (values - values.mean(axis=0, dtype=np.float64) for values in (one, other))
    lengths = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return np.divide((one * other).sum(axis=0), lengths, out=np.full(len(lengths), np.nan), where=lengths > 0)


def _epistemic_std(answer: Prediction, spread: Spread) -> NDArray:
    if answer.epistemic is None:
        raise ValueError("Expected a model with an epistemic column. Received: one without")
    return spread.to_std(np.asarray(answer.epistemic, dtype=np.float64))


def _measured(mean: NDArray, measured: NDArray, names: Sequence[str], eval_fun: EvalFun) -> dict[str, NDArray]:
    """Return the metrics of the targets that were measured; NaN for others."""
    known = np.flatnonzero(np.isfinite(measured).any(axis=0)).tolist()
    found = eval_fun(mean[:, known], measured[:, known], names=[names[index] for index in known])
    columns = {f"measured_{metric}": np.full(len(names), np.nan) for metric in found._fields}
    for metric, values in zip(columns, found, strict=True):
        columns[metric][known] = values
    return columns


def _flat(prefix: str, row: str, names: Sequence[str], columns: Mapping[str, NDArray]) -> dict[str, float]:
    """Return one entry a metric and target that has a value, and their average."""
    flat: dict[str, float] = {}
    for metric, values in columns.items():
        shown = {name: float(value) for name, value in zip(names, values, strict=True) if np.isfinite(value)}
        if shown:
            shown["mean"] = float(np.mean(list(shown.values())))
        flat |= {f"{prefix}/{metric}/{row}/{name}": value for name, value in shown.items()}
    return flat
