"""Rows with what was measured on them and what models predict, and how they are shared out for calibration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.split import Split
from degu.ensemble.prediction import Prediction
from degu.evaluation.uncertainty import predicted_stds
from degu.uncertainty import Spread, row_digests


class Evidence(NamedTuple):
    """Rows of one kind.

    Attributes:
        measured: Measurements `(N, K)`; NaN means not measured.
        predictions: By row of a table, for example `{"ensemble": ..., "student": ...}`.
        digests: One a row, `(N,)`, from `degu.uncertainty.row_digests`.
    """

    measured: NDArray
    predictions: Mapping[str, Prediction]
    digests: NDArray[np.str_]

    def select(self, rows: NDArray) -> Evidence:
        """Return some rows: row numbers, counted from 0, or a mask `(N,)`."""
        predictions = {row: prediction.select(rows) for row, prediction in self.predictions.items()}
        return Evidence(self.measured[rows], predictions, self.digests[rows])


def evidence_of(split: Split, predictions: Mapping[str, Prediction], spread: Spread) -> Evidence:
    """Return the rows of a split with what models predict for them.

    Args:
        split: N sequences with K targets.
        predictions: By row of a table; aleatoric columns are made `usable`.
        spread: The uncertainty function whose unit the epistemic columns have.
    """
    made = {row: usable(prediction, spread) for row, prediction in predictions.items()}
    return Evidence(split.targets, made, row_digests(split.tokens))


def usable(prediction: Prediction, spread: Spread) -> Prediction:
    """Return a prediction whose aleatoric column is above 0, as a student's linear column need not be."""
    if prediction.aleatoric is None:
        return prediction
    return prediction._replace(aleatoric=np.maximum(prediction.aleatoric, spread.floor))


def own_std(prediction: Prediction, spread: Spread) -> NDArray:
    """Return the widest standard deviation that a model predicts, `(N, K)`: total, or the one that there is."""
    stds = predicted_stds(prediction, spread)
    if "total" not in stds:
        return stds["epistemic" if "epistemic" in stds else "aleatoric"]
    return np.where(np.isnan(stds["total"]), stds["epistemic"], stds["total"])


def drawn_for_calibration(digests: ArrayLike, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Draw a share of different sequences; rows of one sequence go together.

    The draw depends on sequences and seed alone, not on the order of rows.

    Args:
        digests: One a row, `(N,)`.
        fraction: Share of the different sequences, above 0 and below 1.
        seed: Seed of the draw.

    Returns:
        A mask `(N,)`.

    Raises:
        ValueError: When the fraction is outside its range.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"Expected a fraction above 0 and below 1. Received: fraction={fraction!r}")
    different, place = np.unique(np.asarray(digests, dtype=np.str_), return_inverse=True)
    order = [hashlib.blake2b(f"{seed} {digest}".encode(), digest_size=8).digest() for digest in different]
    rank = np.empty(len(different), dtype=np.intp)
    rank[sorted(range(len(different)), key=order.__getitem__)] = np.arange(len(different))
    return (rank < round(fraction * len(different)))[place]
