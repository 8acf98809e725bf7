"""Metrics of predicted activities as functions of how often each row counts, so that they can be resampled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from degu.metrics.counted import Statistic, TieGroups, average

THRESHOLD = 0.5


def _mse(prediction: NDArray, target: NDArray) -> Statistic:
    return average((prediction - target) ** 2)


def _pearson(prediction: NDArray, target: NDArray) -> Statistic:
    return lambda counts: _correlation(prediction, target, counts)


def _spearman(prediction: NDArray, target: NDArray) -> Statistic:
    predicted, measured = TieGroups(prediction), TieGroups(target)
    return lambda counts: _correlation(predicted.midranks(counts), measured.midranks(counts), counts)


def _correlation(a: NDArray, b: NDArray, counts: NDArray) -> float:
    total = counts.sum()
    a, b = a - a @ counts / total, b - b @ counts / total
    scale = np.sqrt((counts @ a**2) * (counts @ b**2))
    return float(np.clip(counts @ (a * b) / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def _auroc(prediction: NDArray, target: NDArray) -> Statistic:
    groups, positive = TieGroups(prediction), target == 1

    def area(counts: NDArray) -> float:
        hits = counts[positive].sum()
        pairs = hits * (counts.sum() - hits)
        if not pairs:
            return float("nan")
        ranks = groups.midranks(counts)[positive] @ counts[positive]
        return float((ranks - hits**2 / 2) / pairs)

    return area


def _average_precision(prediction: NDArray, target: NDArray) -> Statistic:
    groups = TieGroups(prediction)

    def precision(counts: NDArray) -> float:
        hits, called = groups.sums(counts * target)[::-1], groups.sums(counts)[::-1]
        if not hits.any() or hits.sum() == called.sum():
            return float("nan")
        above = np.cumsum(called)
        return float(hits @ (np.cumsum(hits) / np.where(above > 0, above, 1.0)) / hits.sum())

    return precision


def _f1(prediction: NDArray, target: NDArray) -> Statistic:
    called = prediction >= THRESHOLD

    def score(counts: NDArray) -> float:
        denominator = counts[called].sum() + counts @ target
        return float(2 * (counts[called] @ target[called]) / denominator) if denominator else float("nan")

    return score


def _accuracy(prediction: NDArray, target: NDArray) -> Statistic:
    return average(((prediction >= THRESHOLD) == (target == 1)).astype(float))


ACTIVITY_METRICS: dict[str, Callable[[NDArray, NDArray], Statistic]] = {
    "mse": _mse,
    "pearson_r": _pearson,
    "spearman_rho": _spearman,
    "auroc": _auroc,
    "average_precision": _average_precision,
    "f1": _f1,
    "accuracy": _accuracy,
}
"""From predictions and measurements `(n,)`, both finite, to the statistic of `eval_regression` or
`eval_classification` with that name. Decisions are those at a probability of 0.5."""
