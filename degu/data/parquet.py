"""Named columns of a Parquet file, as the text cells that every other reader gives."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from degu.data.delimited import Table, position_of
from degu.errors import DataError

_ROWS = 10_000_000
"""A file with more rows than this and than it has bytes holds no sequences."""

_BATCH = 4096
"""Rows that `parquet_rows` reads at a time."""


def parquet_columns(path: Path, columns: Sequence[str] | None) -> Table:
    """Read some columns of a Parquet file; rows count from 1.

    Args:
        path: An existing file.
        columns: Names to keep; None keeps all that hold text or numbers.

    Returns:
        The cells as text: a missing value and NaN are empty, numbers are written with all their digits.

    Raises:
        DataError: A file that cannot be read, a column that is not there or of another type, or no row.
    """
    with _opened(path, columns) as (file, wanted):
        table = file.read(columns=wanted)
        cells = {name: _cells(table.column(name), table.schema.field(name).type, path, name) for name in wanted}
    if not table.num_rows:
        raise DataError(f"{path}: expected rows, received a Parquet file without any.")
    return Table(path, list(range(1, table.num_rows + 1)), cells, "row")


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a Parquet file one after the other, with the cells that `parquet_columns` gives.

    Args:
        path: An existing file of any size.
        columns: Names of the cells.

    Yields:
        Number of the row, from 1, and its cells.

    Raises:
        DataError: As `parquet_columns`; a file without rows yields none.
    """
    with _opened(path, columns) as (file, wanted):
        row = 0
        for batch in file.iter_batches(_BATCH, columns=wanted):
            cells = [_cells(batch.column(name), batch.schema.field(name).type, path, name) for name in wanted]
            for values in zip(*cells, strict=True):
                row += 1
                yield row, list(values)


@contextlib.contextmanager
def _opened(path: Path, columns: Sequence[str] | None) -> Iterator[tuple[Any, list[str]]]:
    """Open a Parquet file; yields it with the names of the wanted columns."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _check_size(path, file.metadata.num_rows)
            names = file.schema_arrow.names
            wanted = list(dict.fromkeys(columns if columns is not None else _plain_names(file.schema_arrow)))
            for name in wanted:
                position_of(path, names, name, "Parquet")
            yield file, wanted
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        text = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: expected a Parquet file, received one that cannot be read: {text}") from None


def _check_size(path: Path, rows: int) -> None:
    if rows > max(_ROWS, path.stat().st_size):
        raise DataError(
            f"{path}: expected sequences, received {rows} rows in {path.stat().st_size} bytes, which no table of "
            "sequences comes to."
        )


def _plain_names(schema: Any) -> list[str]:
    return [field.name for field in schema if _kind(field.type) is not None]


def _kind(kind: Any) -> str | None:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_boolean(kind):
        return "truth"
    if types.is_integer(kind):
        return "integer"
    return "float" if types.is_floating(kind) or types.is_null(kind) else None


def _cells(column: Any, kind: Any, path: Path, name: str) -> list[str]:
    read = _kind(kind)
    if read is None:
        raise DataError(
            f"{path}, column {name!r}: expected text or numbers, received Parquet type {kind}. Write the column as a "
            "string or a float."
        )
    values = column.to_pylist()
    if read == "text":
        return ["" if value is None else value for value in values]
    if read == "float":
        return ["" if value is None or math.isnan(value) else repr(float(value)) for value in values]
    return ["" if value is None else str(int(value)) for value in values]
