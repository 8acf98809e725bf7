"""Predictions of windows, averaged over each sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.ensemble.prediction import Prediction
from degu.inference.records import Entry
from degu.inference.windows import Rows
from degu.uncertainty import Spread, std


class _Sums(NamedTuple):
    """Sums over the windows of S sequences, each `(S, ...)`; None where a model has no such column."""

    number: NDArray
    mean: NDArray
    epistemic: NDArray | None
    variance: NDArray | None
    members: NDArray | None


class WindowAverage:
    """Averages over windows, sequence by sequence, in the order of the file.

    Means and members are averaged; the epistemic column of an ensemble is then the spread of the averaged members. A
    student has no members, so its windows count as wrong in the same direction: its epistemic standard deviations are
    averaged. The aleatoric column is the square root of the mean variance, the noise of one measurement.

    Args:
        spread: The uncertainty function whose unit the epistemic column has; None averages the column as it is.
    """

    def __init__(self, spread: Spread | None) -> None:
        self._spread = spread
        self._entry: Entry | None = None
        self._owner = -1
        self._open: _Sums | None = None

    def add(self, rows: Rows, prediction: Prediction) -> Iterator[tuple[list[Entry], Prediction]]:
        """Take the windows of rows, and yield the sequences that are complete."""
        first = np.flatnonzero(np.r_[True, np.diff(rows.owner) != 0])
        sums = self._sums(prediction, first)
        entries = [rows.entries[place] for place in first]
        if self._open is not None:
            if rows.owner[0] == self._owner:
                sums = _merged(self._open, sums)
            else:
                assert self._entry is not None
                sums, entries = _chained(self._open, sums), [self._entry, *entries]
        self._entry, self._owner, self._open = entries[-1], int(rows.owner[-1]), _part(sums, slice(-1, None))
        if len(entries) > 1:
            yield entries[:-1], self._prediction(_part(sums, slice(None, -1)))

    def finish(self) -> Iterator[tuple[list[Entry], Prediction]]:
        """Yield the last sequence."""
        if self._open is not None and self._entry is not None:
            yield [self._entry], self._prediction(self._open)

    def _sums(self, prediction: Prediction, first: NDArray) -> _Sums:
        def total(values: NDArray | None) -> NDArray | None:
            return None if values is None else np.add.reduceat(values, first, axis=0, dtype=np.float64)

        mean, epistemic, aleatoric, members = prediction
        if epistemic is not None and self._spread is not None:
            epistemic = self._spread.to_std(epistemic)
        found = total(mean)
        assert found is not None
        return _Sums(
            number=np.diff(np.r_[first, len(mean)])[:, None].astype(np.float64),
            mean=found,
            epistemic=total(epistemic),
            variance=total(None if aleatoric is None else np.square(aleatoric)),
            members=total(None if members is None else members.transpose(1, 0, 2)),
        )

    def _prediction(self, sums: _Sums) -> Prediction:
        members = None if sums.members is None else (sums.members / sums.number[:, None]).transpose(1, 0, 2)
        epistemic = None if sums.epistemic is None else sums.epistemic / sums.number
        if members is not None:
            epistemic = (self._spread or std)(members, axis=0)
        elif epistemic is not None and self._spread is not None:
            epistemic = self._spread.from_variance(np.square(epistemic))
        aleatoric = None if sums.variance is None else np.sqrt(sums.variance / sums.number)
        return Prediction(sums.mean / sums.number, epistemic, aleatoric, members)


def _part(sums: _Sums, rows: slice) -> _Sums:
    return _Sums(*(None if values is None else values[rows] for values in sums))  # type: ignore[arg-type]


def _merged(last: _Sums, sums: _Sums) -> _Sums:
    """Add the sums of a sequence's earlier windows to those of its later ones, which come first."""

    def merged(before: NDArray | None, after: NDArray | None) -> NDArray | None:
        return None if before is None or after is None else np.concatenate([before + after[:1], after[1:]])

    return _Sums(*(merged(before, after) for before, after in zip(last, sums, strict=True)))  # type: ignore[arg-type]


def _chained(last: _Sums, sums: _Sums) -> _Sums:
    def chained(before: NDArray | None, after: NDArray | None) -> NDArray | None:
        return None if before is None or after is None else np.concatenate([before, after])

    return _Sums(*(chained(before, after) for before, after in zip(last, sums, strict=True)))  # type: ignore[arg-type]
