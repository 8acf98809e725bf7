"""Variants from VCF files and from tables. A file may be read more than once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from degu.data.delimited import Table, read_columns
from degu.data.lines import existing_file, lines_of
from degu.errors import DataError
from degu.variants.variant import Variant

_FIELDS = ("id", "sequence", "position", "ref", "alt")


class VariantFile(Protocol):
    """Variants in the order of a file."""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the cells that identify a variant."""

    def __iter__(self) -> Iterator[Variant]:
        """Yield every alternative allele of every row, symbolic ones too."""


@dataclass(frozen=True)
class VcfFile:
    """Variants of a VCF file; positions count from 1, a row with several alternatives becomes several variants.

    Only the first five columns are looked at. Letters may have either case.

    Attributes:
        path: A `.vcf` file, or `.vcf.gz` (gzip or bgzip).
    """

    path: Path

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the cells that identify a variant."""
        return _FIELDS

    def __iter__(self) -> Iterator[Variant]:
        """Yield every alternative allele of every row.

        Raises:
            DataError: When a row is no row of a VCF file.
        """
        file = existing_file(self.path)
        for number, line in enumerate(lines_of(file), start=1):
            text = line.rstrip("\r\n")
            if text and not text.startswith("#"):
                yield from _of_row(text.split("\t"), f"{file}, line {number}")


def _of_row(fields: list[str], where: str) -> Iterator[Variant]:
    if len(fields) < 5:
        raise DataError(
            f"{where}: expected tab-separated CHROM, POS, ID, REF, ALT, received {len(fields)} field(s). "
            "A table of variants has a name that ends in .tsv or .csv."
        )
    sequence, position, name, ref, alternatives = fields[:5]
    start = _integer(position, f"{where}, POS") - 1
    for alt in alternatives.split(","):
        label = f"{sequence}:{position}:{ref}>{alt}" if name in ("", ".") else name
        yield Variant(sequence, start, ref.upper(), alt.upper(), where, (label, sequence, position, ref, alt))


@dataclass(frozen=True)
class VariantTable:
    """Variants of a delimited table with a header line.

    Positions count from 0 and an allele covers `position` to before `position + len(ref)`. An empty cell or `-` is an
    allele without letters: an insertion stands before the letter at `position`.

    Attributes:
        path: A `.tsv` or `.csv` file, `.gz` allowed.
        is_named: Whether the column `sequence` holds names of sequences in a FASTA file, and not their letters.
        sequence: Name of that column.
        position: Column of the position.
        ref: Column of the reference allele.
        alt: Column of the alternative allele.
        id: Column of row names; by default `row2` and so on, after the line in the file.
        is_one_based: Whether positions count from 1.
        delimiter: One character; by default a tab for `.tsv` and a comma for `.csv`.
    """

    path: Path
    is_named: bool = False
    sequence: str = "sequence"
    position: str = "position"
    ref: str = "ref"
    alt: str = "alt"
    id: str | None = None
    is_one_based: bool = False
    delimiter: str | None = None

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the cells that identify a variant; letters of sequences are not repeated."""
        return _FIELDS if self.is_named else tuple(name for name in _FIELDS if name != "sequence")

    def __iter__(self) -> Iterator[Variant]:
        """Yield the variants of all rows.

        Raises:
            DataError: When a position is no integer.
        """
        columns = self._table.columns
        for row, line in enumerate(self._table.lines):
            sequence, position, ref, alt = (
                columns[name][row] for name in (self.sequence, self.position, self.ref, self.alt)
            )
            start = _integer(position, self._table.at(row, self.position)) - self.is_one_based
            label = f"row{line}" if self.id is None else columns[self.id][row]
            cells = (label, sequence, position, ref, alt) if self.is_named else (label, position, ref, alt)
            yield Variant(sequence, start, _allele(ref), _allele(alt), f"{self._table.path}, line {line}", cells)

    @cached_property
    def _table(self) -> Table:
        names = [self.sequence, self.position, self.ref, self.alt, *([] if self.id is None else [self.id])]
        return read_columns(self.path, names, self.delimiter)


def _allele(cell: str) -> str:
    return "" if cell == "-" else cell.upper()


def _integer(cell: str, where: str) -> int:
    if not (cell.isascii() and cell.removeprefix("-").isdigit()):
        raise DataError(f"{where}: expected a whole number, received {cell!r}.")
    return int(cell)
