"""Write a table with a split column that a rule has made."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from degu.data.delimited import read_columns
from degu.data.encoding import tokenize
from degu.data.split_makers import SplitMaker
from degu.data.whole import whole_text
from degu.errors import DataError


def write_split(
    path: str | Path,
    output: str | Path,
    maker: SplitMaker,
    *,
    sequence: str = "sequence",
    column: str = "split",
    delimiter: str | None = None,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write a copy of a table with a column that names each row's split.

    Args:
        path: A table as `degu.data.read_table` takes it.
        output: A `.tsv` or `.csv` file, compressed where the name ends in `.gz`; it appears whole or not at all.
        maker: The rule, such as `degu.data.BySimilarity`.
        sequence: Column of DNA, all of one length.
        column: Name of the new column.
        delimiter: What separates the columns of the table.
        overwrite: Whether to replace an existing file, and an existing column of this name.

    Returns:
        Rows by split.

    Raises:
        DataError: A table that cannot be read or split, or a file that cannot be written.
    """
    target = Path(output).expanduser()
    suffix = Path(target.name.removesuffix(".gz")).suffix.lower()
    if suffix not in (".tsv", ".csv"):
        raise DataError(f"{target}: expected a name that ends in .tsv or .csv (or .tsv.gz, .csv.gz).")
    if target.exists() and not overwrite:
        raise DataError(f"{target}: expected no such file, received one that exists. Add --overwrite to replace it.")
    table = read_columns(path, None, delimiter)
    for name in (sequence, *maker.columns):
        if name not in table.columns:
            raise DataError(f"{table.path}: expected a column {name!r}, received {list(table.columns)[:20]}.")
    if column in table.columns and not overwrite:
        raise DataError(f"{table.path}: expected no column {column!r}, received one. Name another with --column.")
    tokens = tokenize(
        table.columns[sequence],
        where=f"{table.path}, column {sequence!r}",
        name_row=table.row,
        ambiguous="as_n",
        uracil="as_t",
    )
    labels = maker(table, tokens).tolist()
    cells = dict(table.columns) | {column: labels}
    _write(target, cells, "\t" if suffix == ".tsv" else ",")
    return dict(Counter(labels))


def _write(target: Path, cells: dict[str, list[str]], delimiter: str) -> None:
    with whole_text(target) as text:
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        writer.writerow(cells)
        writer.writerows(zip(*cells.values(), strict=True))
