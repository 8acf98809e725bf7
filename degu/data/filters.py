"""Rows of a table that a user asks for."""

from __future__ import annotations

from collections import Counter

import numpy as np

from degu.data.delimited import Table
from degu.errors import DataError


def keep_equal(table: Table, column: str, value: str | int | float) -> Table:
    """Return the rows whose cell equals a value: numbers compare as numbers, anything else as text.

    Raises:
        DataError: When there is none.
    """
    cells = table.columns[column]
    rows = np.flatnonzero([_equals(cell, value) for cell in cells])
    if not rows.size:
        common = ", ".join(repr(cell) for cell, _ in Counter(cells).most_common(5))
        raise DataError(
            f"{table.path}, column {column!r}: expected rows equal to {value!r} (argument where), received "
            f"none. The column holds {common}."
        )
    return table.take(rows)


def _equals(cell: str, value: str | int | float) -> bool:
    if isinstance(value, str | bool):
        return cell == str(value)
    try:
        return float(cell) == value
    except ValueError:
        return False
