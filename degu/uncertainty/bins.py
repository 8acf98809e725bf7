"""Bins of predicted activity.

Bins are bins of the prediction, not of the measurement. A promise for each bin helps when the bin of a new sequence is
known, and that is known from its prediction alone. Bins of the measurement select rows by their own noise: in the
highest bin even a perfect model predicts too low on average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def quantile_edges(predictions: ArrayLike, num_bins: int) -> NDArray:
    """Return inner edges of bins that hold equal shares of predictions.

    Args:
        predictions: `(N, K)`.
        num_bins: At least 1.

    Returns:
        `(num_bins - 1, K)`, increasing along the first axis. Equal predictions are not torn apart, so bins of few
        different values may be unequal or empty.

    Raises:
        ValueError: Without a row, or with fewer than one bin.
    """
    values = np.asarray(predictions, dtype=np.float64)
    if values.ndim != 2 or not len(values) or num_bins < 1:
        raise ValueError(
            f"Expected predictions (N, K) of at least one row and num_bins >= 1. Received: shape {values.shape} and "
            f"num_bins={num_bins!r}"
        )
    return np.quantile(values, np.arange(1, num_bins) / num_bins, axis=0)


def bin_index(predictions: ArrayLike, edges: NDArray) -> NDArray[np.intp]:
    """Return the bin of every prediction, `(N, K)`, 0 for the lowest; an edge belongs to the bin above it.

    Raises:
        ValueError: When the last axes differ.
    """
    values = np.asarray(predictions, dtype=np.float64)
    if values.ndim != 2 or edges.ndim != 2 or values.shape[1] != edges.shape[1]:
        raise ValueError(
            f"Expected predictions (N, K) and edges (bins - 1, K). Received: {values.shape} and {edges.shape}"
        )
    return (values >= edges[:, None, :]).sum(axis=0)
