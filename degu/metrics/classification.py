"""Classification metrics of predicted probabilities against binary labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.columns import as_columns, per_column, undefined


class ClassificationMetrics(NamedTuple):
    """One value a target, each `(K,)`.

    Attributes:
        auroc: Area under the receiver operating characteristic.
        average_precision: Area under the precision-recall curve, as average precision.
        f1: F1 score of `probability >= threshold`.
        accuracy: Fraction of right decisions at the threshold.
    """

    auroc: NDArray
    average_precision: NDArray
    f1: NDArray
    accuracy: NDArray


def eval_classification(
    predictions: ArrayLike,
    targets: ArrayLike,
    names: Sequence[str] | None = None,
    threshold: float = 0.5,
) -> ClassificationMetrics:
    """Compare predicted probabilities with binary labels.

    Args:
        predictions: Probabilities in [0, 1], `(N, K)` or `(N,)`.
        targets: Labels 0 or 1, same shape; NaN means not measured.
        names: K names used in warnings.
        threshold: Probability from which a sequence is called positive.

    Returns:
        `ClassificationMetrics`. The ranking metrics of a column with one class only are NaN and warn.

    Raises:
        ValueError: When shapes differ, a label is neither 0 nor 1, or a probability is outside [0, 1].
    """
    labels, probabilities = as_columns(targets), as_columns(predictions)
    measured = np.isfinite(labels)
    if not np.isin(labels[measured], (0.0, 1.0)).all():
        raise ValueError("Expected labels 0 or 1 (NaN = not measured). Received other values")
    if probabilities.size and not (np.nanmin(probabilities) >= 0 and np.nanmax(probabilities) <= 1):
        raise ValueError(
            "Expected probabilities in [0, 1]. Received values from "
            f"{np.nanmin(probabilities):g} to {np.nanmax(probabilities):g}"
        )
    return ClassificationMetrics(
        auroc=per_column(partial(_ranking, "AUROC"), probabilities, labels, names),
        average_precision=per_column(partial(_ranking, "average precision"), probabilities, labels, names),
        f1=per_column(partial(_f1, threshold), probabilities, labels, names),
        accuracy=per_column(partial(_accuracy, threshold), probabilities, labels, names),
    )


def _ranking(metric: str, probability: NDArray, label: NDArray, name: str) -> float:
    from sklearn.metrics import average_precision_score, roc_auc_score

    if len(np.unique(label)) < 2:
        return undefined(metric, name, "the labels have one class only")
    score = roc_auc_score if metric == "AUROC" else average_precision_score
    return float(score(label, probability))


def _f1(threshold: float, probability: NDArray, label: NDArray, name: str) -> float:
    called = probability >= threshold
    denominator = called.sum() + label.sum()
    if denominator == 0:
        return undefined("F1", name, "no positive label and no positive call")
    return float(2 * (called & (label == 1)).sum() / denominator)


def _accuracy(threshold: float, probability: NDArray, label: NDArray, name: str) -> float:
    if not len(label):
        return undefined("accuracy", name, "no measured rows")
    return float(np.mean((probability >= threshold) == (label == 1)))
