"""Rows of tables and of BED files, one after the other."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from degu.data.lines import lines_of
from degu.errors import DataError, nearest

PARQUET = (".parquet", ".pq")
"""Ends of the names of Parquet files."""
_DELIMITERS = {".tsv": "\t", ".csv": ","}
_BATCH = 4096


def table_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield some cells of each row of a TSV, CSV or Parquet file.

    Args:
        path: An existing file; text is compressed with gzip where the name ends in `.gz`.
        columns: Names of the cells.

    Yields:
        Where the row is, such as `"line 2"`, and the cells.

    Raises:
        DataError: A file that cannot be read, a column that is not there, or a row with another number of fields than
            the header.
    """
    if path.suffix.lower() in PARQUET:
        yield from _parquet_rows(path, columns)
        return
    delimiter = _DELIMITERS[Path(path.name.removesuffix(".gz")).suffix.lower()]
    reader = csv.reader(lines_of(path), delimiter=delimiter, strict=True)
    last = 0
    header: list[str] = []
    positions: list[int] = []
    try:
        for cells in reader:
            line, last = last + 1, reader.line_num
            if not cells:
                continue
            if not header:
                header = cells
                positions = [_position(path, header, name) for name in columns]
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path}, line {line}: expected {len(header)} fields as in the header, received {len(cells)}. "
                    "Mend the line."
                )
            yield f"line {line}", [cells[position] for position in positions]
    except csv.Error as error:
        raise DataError(f"{path}, line {last + 1}: expected delimited fields, received: {error}.") from None
    if not header:
        raise DataError(f"{path}: expected a table with a header line, received none.")


def _position(path: Path, header: list[str], name: str) -> int:
    count = header.count(name)
    if count == 1:
        return header.index(name)
    shown = ", ".join(map(repr, header[:30]))
    if count > 1:
        raise DataError(f"{path}, line 1: expected one column {name!r}, received {count} of this name.")
    raise DataError(
        f"{path}, line 1: expected a column {name!r}, received {shown}.{nearest(name, header)} "
        "Name the column of the sequences with --column, that of their names with --id."
    )


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for name in columns:
                _position(path, names, name)
            row = 0
            for batch in file.iter_batches(_BATCH, columns=list(columns)):
                cells = [batch.column(name).to_pylist() for name in columns]
                for values in zip(*cells, strict=True):
                    row += 1
                    yield f"row {row}", ["" if value is None else str(value) for value in values]
    except (pyarrow.ArrowException, OSError) as error:
        text = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: expected a Parquet file, received one that cannot be read: {text}") from None


def bed_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the regions of a BED file: the line, counted from 1, and its cells.

    Lines of `track` and `browser` and comments are passed over.

    Raises:
        DataError: When a line is none of a BED file.
    """
    for number, line in enumerate(lines_of(path), start=1):
        text = line.rstrip("\r\n")
        if text.strip() and not text.startswith(("#", "track ", "track\t", "browser ", "browser\t")):
            cells = text.split("\t")
            _check_region(cells, f"{path}, line {number}")
            yield number, cells


def _check_region(cells: list[str], where: str) -> None:
    if len(cells) < 3:
        raise DataError(
            f"{where}: expected tab-separated chrom, start and end, received {len(cells)} column(s). Separate the "
            "columns by tabs."
        )
    for name, cell in zip(("start", "end"), cells[1:3], strict=True):
        if not (cell.isascii() and cell.isdigit() and len(cell) < 16):
            raise DataError(f"{where}, {name}: expected a whole number of at least 0, received {cell[:40]!r}.")
    if int(cells[1]) >= int(cells[2]):
        raise DataError(
            f"{where}: expected an end behind the start, received {cells[1]} to {cells[2]}. BED regions count from 0 "
            "and end behind their last base."
        )
    if len(cells) > 5 and cells[5] not in ("+", "-", "."):
        raise DataError(f"{where}, strand: expected +, - or ., received {cells[5][:40]!r}.")


def fasta_records(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield name, line of the header and letters of the records of a FASTA file.

    Args:
        path: An existing file, compressed with gzip or bgzip where the name ends in `.gz`.

    Raises:
        DataError: A file that cannot be read, letters before the first header, or a header without a name.
    """
    name, start, parts = "", 0, list[str]()
    for number, line in enumerate(lines_of(path), start=1):
        text = line.strip()
        if text.startswith(">"):
            if start:
                yield name, start, "".join(parts)
            words = text[1:].split()
            if not words:
                raise DataError(f"{path}, line {number}: expected a name behind '>', received none. Name the record.")
            name, start, parts = words[0], number, []
        elif text and not start:
            raise DataError(
                f"{path}, line {number}: expected '>' and a name, as a FASTA file begins, received {text[:20]!r}."
            )
        elif text:
            parts.append(text)
    if start:
        yield name, start, "".join(parts)
