"""From the text cells of a table to numbers, and from replicates to their standard deviation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from degu.data.delimited import Table
from degu.errors import DataError

NOT_MEASURED = frozenset({"", "NA", "NaN", "nan"})
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)
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
                values[row, index] = read_number(cell, minimum)
            except ValueError:
                kind = "a finite number" if minimum < 0 else "a finite number of at least 0"
                shown = cell if len(cell) <= 60 else cell[:60] + "..."
                raise DataError(
                    f"{table.at(row, column)}: expected {kind}, or an empty cell for 'not measured', received "
                    f"{shown!r}.{_hint(cell)}"
                ) from None
    return values


def _hint(cell: str) -> str:
    if _DECIMAL_COMMA.fullmatch(cell):
        return " Write a decimal point, not a comma."
    if cell.strip().lower().lstrip("+-") in ("inf", "infinity"):
        return " Leave the cell empty, or cap the value (a logarithm of zero needs a pseudocount)."
    return " Mend the cell, or name another column."


def read_number(cell: str, minimum: float = -_LARGEST) -> float:
    """Read one cell.

    Args:
        cell: Its text.
        minimum: Smallest number that is allowed.

    Returns:
        The number; NaN where nothing was measured.

    Raises:
        ValueError: Anything else, such as infinity.
    """
    if cell in NOT_MEASURED:
        return float("nan")
    value = float(cell)
    # `float` also reads 1_000, inf, digits of other alphabets and numbers that float32 cannot hold
    if "_" in cell or not cell.isascii() or not minimum <= value <= _LARGEST:
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
