"""From the text cells of a table to numbers, and from replicates to their standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from degu.data.delimited import Table
from degu.errors import DataError

_NOT_MEASURED = frozenset({"", "NA", "NaN", "nan"})
_LARGEST = float(np.finfo(np.float32).max)


def numbers(table: Table, columns: list[str], minimum: float = -_LARGEST) -> npt.NDArray[np.float32]:
    """Read columns of numbers.

    Args:
        table: The cells.
        columns: C column names.
        minimum: Smallest number that is allowed.

    Returns:
        Shape (rows, C); NaN where a cell is empty, `NA` or `NaN`.

    Raises:
        DataError: A cell that holds something else.
    """
    values = np.empty((len(table.lines), len(columns)), dtype=np.float32)
    for index, column in enumerate(columns):
        for row, cell in enumerate(table.columns[column]):
            try:
                values[row, index] = _number(cell, minimum)
            except ValueError:
                kind = "a finite number" if minimum < 0 else "a finite number of at least 0"
                raise DataError(
                    f"{table.at(row, column)}: expected {kind}, or an empty cell for 'not measured', received {cell!r}."
                ) from None
    return values


def _number(cell: str, minimum: float) -> float:
    if cell in _NOT_MEASURED:
        return float("nan")
    value = float(cell)
    # `float` also reads 1_000, inf and numbers that float32 cannot hold
    if "_" in cell or not minimum <= value <= _LARGEST:
        raise ValueError(cell)
    return value


def replicate_std(
    table: Table, targets: Sequence[str], replicates: Mapping[str, Sequence[str]]
) -> npt.NDArray[np.float32] | None:
    """Return the standard deviation (ddof 1) over the measured replicates of each target.

    Args:
        table: The cells.
        targets: K target names.
        replicates: Columns of the replicates of some of them.

    Returns:
        Shape (rows, K); NaN where fewer than two replicates were measured. None where no target has any.

    Raises:
        DataError: A cell that holds no number.
    """
    if not replicates:
        return None
    std = np.full((len(table.lines), len(targets)), np.nan, dtype=np.float32)
    for target, columns in replicates.items():
        values = np.ma.masked_invalid(numbers(table, list(columns)).astype(np.float64))
        enough = values.count(axis=1) > 1
        std[enough, list(targets).index(target)] = values[enough].std(axis=1, ddof=1)
    return std
