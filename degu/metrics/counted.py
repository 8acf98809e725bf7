"""Metrics as functions of how often each row counts.

A bootstrap sample is a count of every row. A statistic takes such counts, so the value of a metric (every row counts
once) and its bootstrap are one formula, and what depends on the rows alone, such as their order, is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray], float]
"""From the counts of n rows, `(n,)`, to the value of a metric, NaN where it has none."""


class ColumnStatistics(NamedTuple):
    """The metrics of one target.

    Attributes:
        num_rows: Its measured rows.
        statistics: By metric, all of the same rows.
    """

    num_rows: int
    statistics: dict[str, Statistic]


class UndefinedMetricError(Exception):
    """A metric has no value for these rows; the message is the reason."""


def average(scores: NDArray) -> Statistic:
    """Return the statistic "mean of the rows' scores"; scores `(n,)` may be positive infinity."""
    infinite = np.flatnonzero(np.isinf(scores))
    finite = np.where(np.isinf(scores), 0.0, scores)

    def mean(counts: NDArray) -> float:
        return float(np.inf if counts[infinite].any() else finite @ counts / counts.sum())

    return mean


class TieGroups:
    """Rows in increasing order of a value, with equal values in one group, whatever order the rows come in.

    Args:
        values: One value a row, `(n,)`.

    Attributes:
        values: The G different values, increasing.
        group: Which of them each row has, `(n,)`.
    """

    def __init__(self, values: NDArray) -> None:
        self.values, self.group = np.unique(values, return_inverse=True)

    def sums(self, amounts: NDArray) -> NDArray:
        """Return the sum of the rows' amounts `(n,)` in each group, `(G,)`."""
        return np.bincount(self.group, amounts, minlength=len(self.values))

    def midranks(self, counts: NDArray) -> NDArray:
        """Return each row's place in the order, `(n,)`: rows before it and half of its own group."""
        sizes = self.sums(counts)
        return (np.cumsum(sizes) - sizes / 2)[self.group]
