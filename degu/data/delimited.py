"""Named columns of a delimited text file, with the line number of every row.

The standard `csv` reader is used because it keeps every cell as it was written, knows the line of each row,
and lets a row with a missing or an extra field be refused instead of filled up.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from degu.data.lines import LONGEST_LINE, existing_file, lines_of
from degu.errors import DataError, nearest

PARQUET = (".parquet", ".pq")
"""Ends of the names of Parquet files."""
_DELIMITERS = {".tsv": "\t", ".csv": ","}
_SEPARATORS = "\t,;| "
"""What separates the columns of tables; a single name that holds one is the header of another kind of table."""

csv.field_size_limit(LONGEST_LINE)


class Table(NamedTuple):
    """Text cells by column.

    Attributes:
        path: The file.
        lines: 1-based number of each row in the file.
        columns: Cells by column name, each list as long as `lines`.
        unit: What those numbers count: lines of a text file, rows of a Parquet file.
    """

    path: Path
    lines: list[int]
    columns: dict[str, list[str]]
    unit: str = "line"

    def row(self, row: int) -> str:
        """Say where a row is, for an error message."""
        return f"{self.unit} {self.lines[row]}"

    def at(self, row: int, column: str) -> str:
        """Say where a cell is, for an error message."""
        return f"{self.path}, {self.row(row)}, column {column!r}"

    def take(self, rows: npt.NDArray[np.intp]) -> Table:
        """Return the table with these rows, in this order."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return Table(self.path, [self.lines[row] for row in rows], columns, self.unit)


def read_columns(path: str | Path, columns: Sequence[str] | None, delimiter: str | None = None) -> Table:
    """Read some columns of a delimited file with a header line, or of a Parquet file.

    Args:
        path: A UTF-8 text file, gzip-compressed where the name ends in `.gz`, or a file whose name ends in
            `.parquet`; a relative path is resolved against the current directory.
        columns: Names to keep; None keeps all.
        delimiter: One character; by default a tab for `.tsv` and a comma for `.csv`.

    Returns:
        The cells as text. Blank lines are passed over.

    Raises:
        DataError: A file that cannot be read as described, a column that is not there, a row with another
            number of fields than the header, or no row at all.
    """
    file = existing_file(path)
    if file.suffix.lower() in PARQUET:
        from degu.data.parquet import parquet_columns

        return parquet_columns(file, columns)
    wanted, rows = _opened(file, columns, _delimiter(file, delimiter))
    lines: list[int] = []
    kept: list[list[str]] = []
    for line, cells in rows:
        lines.append(line)
        kept.append(cells)
    if not lines:
        raise DataError(f"{file}: expected rows below the header, received none.")
    by_column = zip(*kept, strict=True)
    return Table(file, lines, {name: list(cells) for name, cells in zip(wanted, by_column, strict=True)})


def rows_of(path: str | Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a table as `read_columns` takes it one after the other, from a file of any size.

    Args:
        path: The file.
        columns: Names of the cells.

    Yields:
        Where the row is, such as `"line 2"`, and its cells.

    Raises:
        DataError: As `read_columns`, when the reading comes to it; a table without rows yields none.
    """
    file = existing_file(path)
    if file.suffix.lower() in PARQUET:
        from degu.data.parquet import parquet_rows

        rows, unit = parquet_rows(file, columns), "row"
    else:
        rows, unit = _opened(file, columns, _delimiter(file, None))[1], "line"
    for number, cells in rows:
        yield f"{unit} {number}", cells


def header_of(path: str | Path, delimiter: str | None = None) -> list[str]:
    """Return the names of the columns of a table.

    Args:
        path: A file as `read_columns` takes it.
        delimiter: One character; by default a tab for `.tsv` and a comma for `.csv`.

    Raises:
        DataError: A file that cannot be read.
    """
    file = existing_file(path)
    if file.suffix.lower() in PARQUET:
        return list(read_columns(file, None).columns)
    return next(_numbered_rows(file, _delimiter(file, delimiter)), (0, []))[1]


def _delimiter(path: Path, delimiter: str | None) -> str:
    if delimiter is not None:
        if len(delimiter) != 1:
            raise DataError(f"delimiter: expected one character, received {delimiter!r}.")
        return delimiter
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _DELIMITERS:
        raise DataError(
            f"{path}: expected a name that ends in .tsv or .csv (or .tsv.gz, .csv.gz) or .parquet, received "
            f"{suffix!r}. Name the delimiter, for instance delimiter='\\t'."
        )
    return _DELIMITERS[suffix]


def _numbered_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines_of(path), delimiter=delimiter, strict=True)
    last = 0
    try:
        for cells in reader:
            if cells:
                yield last + 1, cells
            last = reader.line_num
    except csv.Error as error:
        raise DataError(f"{path}, line {last + 1}: expected delimited fields, received: {error}.") from None


def _opened(
    file: Path, columns: Sequence[str] | None, separator: str
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the names of the wanted columns, and an iterator of line and wanted cells of each row."""
    rows = _numbered_rows(file, separator)
    _, header = next(rows, (0, []))
    wanted = list(dict.fromkeys(header if columns is None else columns))
    positions = [position_of(file, header, name, separator) for name in wanted]

    def chosen() -> Iterator[tuple[int, list[str]]]:
        for line, cells in rows:
            if len(cells) != len(header):
                raise DataError(
                    f"{file}, line {line}: expected {len(header)} fields as in the header, received {len(cells)}."
                    " Mend the line; a field that was not measured is written as an empty one."
                )
            yield line, [cells[position] for position in positions]

    return wanted, chosen()


def position_of(path: Path, header: list[str], name: str, delimiter: str) -> int:
    """Return where a column stands in a header.

    Args:
        path: The file, for error messages.
        header: Names of its columns.
        name: The column.
        delimiter: What separates columns, for error messages.

    Raises:
        DataError: When there is no such column, or several.
    """
    count = header.count(name)
    if count == 1:
        return header.index(name)
    if count > 1:
        raise DataError(f"{path}, line 1: expected one column {name!r}, received {count} of this name.")
    if not header:
        raise DataError(f"{path}, line 1: expected a column {name!r}, received no header line.")
    if len(header) == 1 and any(mark in header[0] for mark in _SEPARATORS):
        raise DataError(
            f"{path}, line 1: expected columns separated by {delimiter!r}, received the single column "
            f"{_listed(header)}. Name the delimiter that the file uses."
        )
    raise DataError(f"{path}, line 1: expected a column {name!r}, received {_listed(header)}.{nearest(name, header)}")


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name if len(name) <= 60 else name[:60] + "...") for name in names[:30]]
    return ", ".join(shown) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
