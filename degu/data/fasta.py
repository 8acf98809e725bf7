"""FASTA files, and data sets of a FASTA file with a table of what was measured on its sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from degu.data.delimited import Table, read_columns
from degu.data.encoding import Ambiguous, Uracil
from degu.data.lines import existing_file, lines_of
from degu.data.roles import PLACE, Roles
from degu.data.split_makers import SplitMaker
from degu.data.splits import Splits
from degu.errors import DataError, nearest

SEQUENCE = "\0sequence"
"""Column that a FASTA file or a genome adds to a table."""


class Record(NamedTuple):
    """A sequence of a FASTA file.

    Attributes:
        name: The header up to the first space, without `>`.
        line: 1-based line of the header.
        letters: The sequence as it stands, lines joined.
    """

    name: str
    line: int
    letters: str


def fasta_records(path: str | Path) -> Iterator[Record]:
    """Yield the sequences of a FASTA file.

    Args:
        path: UTF-8 text, compressed with gzip or bgzip where the name ends in `.gz`.

    Raises:
        DataError: A file that cannot be read, letters before the first header, or a header without a name.
    """
    file = existing_file(path)
    name, start, parts = "", 0, list[str]()
    for number, line in enumerate(lines_of(file), start=1):
        text = line.strip()
        if text.startswith(">"):
            if start:
                yield Record(name, start, "".join(parts))
            words = text[1:].split()
            if not words:
                raise DataError(f"{file}, line {number}: expected a name behind '>', received none. Name the record.")
            name, start, parts = words[0], number, []
        elif text and not start:
            raise DataError(
                f"{file}, line {number}: expected '>' and a name, as a FASTA file begins, received {text[:20]!r}."
            )
        elif text:
            parts.append(text)
    if not start:
        raise DataError(f"{file}: expected a FASTA file with sequences, received none.")
    yield Record(name, start, "".join(parts))


def read_fasta(
    path: str | Path,
    values: str | Path,
    *,
    targets: Sequence[str],
    id: str | None = "id",
    split: str | SplitMaker = "split",
    splits: Mapping[str, str | int | Sequence[str | int]] | None = None,
    target_std: Sequence[str] | None = None,
    replicates: Mapping[str, Sequence[str]] | None = None,
    where: Mapping[str, str | int | float] | None = None,
    delimiter: str | None = None,
    ambiguous: Ambiguous = "refuse",
    uracil: Uracil = "refuse",
) -> Splits:
    """Read train, valid and test from a FASTA file and a table of values.

    Args:
        path: The FASTA file, `.gz` allowed; the name of a record is its header up to the first space.
        values: A table as `degu.data.read_table` takes it, without sequences.
        targets: Columns of measured values.
        id: Column with the names of the records; every row needs its record, records without a row are left out. None:
            the rows are in the order of the records, as many as there are records.
        split: Column that names a row's split, or what makes the splits.
        splits: What that column holds for ``train``, ``valid`` and ``test``.
        target_std: Columns with the standard deviation over replicates, one per target.
        replicates: For some targets the columns of their replicates.
        where: Keep only rows with these values.
        delimiter: One character; by default a tab for `.tsv` and a comma for `.csv`.
        ambiguous: ``"as_n"`` reads letters that stand for several bases as N.
        uracil: ``"as_t"`` reads U as T.

    Returns:
        The data set.

    Raises:
        DataError: Anything in the files that does not fit, with its place.
    """
    roles = Roles(targets, SEQUENCE, split, splits, id, target_std, replicates, where, ambiguous, uracil)
    file = existing_file(path)
    table = with_records(read_columns(values, roles.columns()[1:], delimiter), file, id)
    return roles.splits_of(table, f"{path} with {values}", where=str(file))


def with_records(table: Table, fasta: Path, id: str | None) -> Table:
    """Add the sequences of a FASTA file to a table of values, as the columns `SEQUENCE` and `PLACE`.

    Args:
        table: Rows of values.
        fasta: The sequences.
        id: Column with the names of the records, or None for the order of the records.

    Raises:
        DataError: Rows and records that do not fit, with the place of the first.
    """
    records = list(fasta_records(fasta))
    chosen = _in_order(table, fasta, records) if id is None else _by_name(table, fasta, records, id)
    columns = dict(table.columns)
    columns[SEQUENCE] = [record.letters for record in chosen]
    columns[PLACE] = [f"record {record.name!r} of line {record.line}" for record in chosen]
    return table._replace(columns=columns)


def _in_order(table: Table, fasta: Path, records: list[Record]) -> list[Record]:
    if len(records) != len(table.lines):
        raise DataError(
            f"{table.path}: expected {len(records)} rows, one for each record of {fasta}, received "
            f"{len(table.lines)}. One of the files may be cut short; or name the column that holds the records' names."
        )
    return records


def _by_name(table: Table, fasta: Path, records: list[Record], id: str) -> list[Record]:
    named: dict[str, Record] = {}
    for record in records:
        if record.name in named:
            raise DataError(
                f"{fasta}, line {record.line}: expected different names, received {record.name!r} again after line "
                f"{named[record.name].line}. Make the names unique."
            )
        named[record.name] = record
    chosen = []
    for row, name in enumerate(table.columns[id]):
        if name not in named:
            hint = nearest(name, list(named)[:10_000])
            raise DataError(f"{table.at(row, id)}: expected the name of a record in {fasta}, received {name!r}.{hint}")
        chosen.append(named[name])
    return chosen
