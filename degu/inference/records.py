"""Sequences to predict, one after the other, from files of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from degu.data.bed import bed_rows
from degu.data.delimited import PARQUET, rows_of
from degu.data.fasta import fasta_records
from degu.data.genome import Genome
from degu.data.lines import existing_file
from degu.errors import DataError

FASTA = (".fa", ".fasta", ".fna", ".ffn")
"""Ends of the names of FASTA files, each also with `.gz`."""


class Entry(NamedTuple):
    """A sequence of a file.

    Attributes:
        cells: What tells it in a table of predictions: its name, or a region.
        letters: Its letters as they stand.
        place: Where it is in the file, for messages.
        is_reverse: Whether the letters must be read on the other strand.
    """

    cells: tuple[str, ...]
    letters: str
    place: str
    is_reverse: bool = False


class SequenceFile(Protocol):
    """Sequences in the order of a file; it may be read more than once."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the cells of an entry."""

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries."""


@dataclass(frozen=True)
class FastaSequences:
    """Records of a FASTA file, named by the first word of their headers."""

    path: Path
    header: tuple[str, ...] = ("id",)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the records."""
        for name, line, letters in fasta_records(self.path):
            yield Entry((name,), letters, f"record {name!r} of line {line}")


@dataclass(frozen=True)
class TableSequences:
    """Rows of a TSV, CSV or Parquet file.

    Attributes:
        path: The file.
        sequence: Column of the letters.
        id: Column of the names; None names rows after their place, such as `line2`.
    """

    path: Path
    sequence: str = "sequence"
    id: str | None = None
    header: tuple[str, ...] = ("id",)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the rows."""
        columns = [self.sequence, *([] if self.id is None else [self.id])]
        for place, (letters, *names) in rows_of(self.path, columns):
            yield Entry((names[0] if names else place.replace(" ", ""),), letters, place)


@dataclass(frozen=True)
class GenomeSequences:
    """Regions of a BED file with the letters of a genome, on their strands.

    Attributes:
        path: The BED file.
        genome: An uncompressed FASTA file.
    """

    path: Path
    genome: Path
    header: tuple[str, ...] = ("chrom", "start", "end", "name", "strand")

    def __iter__(self) -> Iterator[Entry]:
        """Yield the regions."""
        with Genome(self.genome) as genome:
            for number, cells in bed_rows(self.path):
                chrom, start, end, *rest = cells
                place = f"line {number}"
                letters = genome.region(chrom, int(start), int(end), f"{self.path}, {place}")
                name = rest[0] if rest else "."
                strand = rest[2] if len(rest) > 2 else "."
                yield Entry((chrom, start, end, name, strand), letters, place, strand == "-")


def open_sequences(
    path: str | Path, genome: str | Path | None = None, sequence: str = "sequence", id: str | None = None
) -> SequenceFile:
    """Return the sequences of a file; which kind it is, its name says.

    Args:
        path: FASTA (`.fa`, `.fasta`, `.fna`), table (`.tsv`, `.csv`, `.parquet`) or BED (`.bed`); text also as `.gz`.
        genome: Uncompressed FASTA file that the regions of a BED file lie on.
        sequence: Column of a table with the letters.
        id: Column of a table with the names of its rows; by default they are named after their place in the file.

    Raises:
        DataError: When there is no such file, or its name says something else.
    """
    file = existing_file(path)
    suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
    if suffix == ".bed":
        if genome is None:
            raise DataError(f"{file}: expected the genome of a BED file, received none. Name it with --genome FASTA.")
        return GenomeSequences(file, existing_file(genome))
    if genome is not None:
        raise DataError(f"{file}: expected a .bed file to go with a genome, received a name that ends in {suffix!r}.")
    if suffix in FASTA:
        return FastaSequences(file)
    if suffix in (".tsv", ".csv", *PARQUET):
        return TableSequences(file, sequence, id)
    raise DataError(
        f"{file}: expected a name that ends in {', '.join(FASTA)}, .tsv, .csv, .parquet or .bed, received {suffix!r}. "
        "Rename the file after what is in it."
    )
