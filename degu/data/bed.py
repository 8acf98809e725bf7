"""Data sets of regions of a genome: a BED file, the genome, and bigWig tracks or a table of what was measured."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from degu.data.bigwig import track_means
from degu.data.delimited import Table, read_columns
from degu.data.encoding import detokenize, reverse_complement, tokenize
from degu.data.fasta import SEQUENCE
from degu.data.lines import existing_file, lines_of
from degu.data.roles import PLACE, SPLIT_NAMES, Roles
from degu.data.split_makers import SplitMaker
from degu.data.splits import Splits
from degu.errors import DataError, nearest

_LOG = logging.getLogger(__name__)

_COLUMNS = ("chrom", "start", "end", "name", "score", "strand")


def read_bed(
    path: str | Path,
    genome: str | Path,
    *,
    targets: Sequence[str] | None = None,
    bigwigs: Mapping[str, str | Path] | None = None,
    values: str | Path | None = None,
    id: str | None = "name",
    length: int | None = None,
    uncovered: float | None = 0.0,
    log2_pseudocount: float | None = None,
    split: str | SplitMaker = "split",
    splits: Mapping[str, str | int | Sequence[str | int]] | None = None,
    target_std: Sequence[str] | None = None,
    replicates: Mapping[str, Sequence[str]] | None = None,
    where: Mapping[str, str | int | float] | None = None,
    delimiter: str | None = None,
) -> Splits:
    """Read train, valid and test from regions of a genome.

    A region on strand ``-`` is read as its reverse complement, one on ``+`` or ``.`` as it stands. Letters of the
    genome other than A, C, G, T count as N, lower case is read as upper case.

    Args:
        path: A BED file, `.gz` allowed: tab-separated chrom, start (from 0), end (behind the last base) and optionally
            name, score, strand; further columns are called ``column7`` and so on. Its order does not matter.
        genome: An uncompressed FASTA file; an index is made beside it.
        targets: Columns of measured values, of the BED file or of `values`. With `bigwigs` it is not needed.
        bigwigs: Instead, tracks by target name: a target is the mean of its track over the region.
        values: A table with targets, and with whatever else is not in the BED file.
        id: Column of `values` with the names of the BED file; None for one row a region, in its order.
        length: Bases around the middle of each region to take; by default the region, and all must have one length.
        uncovered: Value of bases that a track says nothing about; None leaves them out of the mean, and a region
            without any other is not measured.
        log2_pseudocount: Take log2 of the mean plus this number; None takes the mean.
        split: Column that names a row's split, or what makes the splits, such as `degu.data.ByChromosome`.
        splits: What that column holds for ``train``, ``valid`` and ``test``.
        target_std: Columns with the standard deviation over replicates, one per target.
        replicates: For some targets the columns of their replicates; with `bigwigs`, of further tracks in it.
        where: Keep only rows with these values.
        delimiter: What separates the columns of `values`.

    Returns:
        The data set. Regions of different splits that overlap are counted in the log.

    Raises:
        DataError: Anything in the files that does not fit, with its place.

    References:
        Kent et al. (2010), "BigWig and BigBed: enabling browsing of large distributed datasets",
        doi:10.1093/bioinformatics/btq351.
    """
    if (bigwigs is None) == (targets is None):
        raise DataError(
            f"{path}: expected either bigwigs, or targets; received {'neither' if targets is None else 'both'}."
        )
    used = {column for columns in (replicates or {}).values() for column in columns}
    names = list(targets) if targets is not None else [name for name in bigwigs or {} if name not in used]
    roles = Roles(names, SEQUENCE, split, splits, None, target_std, replicates, where)
    table = bed_table(path)
    if values is not None:
        table = _with_values(
            table, read_columns(values, _wanted(roles, [*table.columns, *(bigwigs or {})], id), delimiter), id
        )
    table = _resized(table, length)
    if bigwigs is not None:
        columns = dict(table.columns)
        for name, track in bigwigs.items():
            columns[name] = _texts(track_means(track, table, uncovered, log2_pseudocount))
        table = table._replace(columns=columns)
    missing = [name for name in roles.columns()[1:] if name not in table.columns]
    if missing:
        known = list(table.columns)
        raise DataError(f"{path}: expected a column {missing[0]!r}, received {known}.{nearest(missing[0], known)}")
    splits_found = roles.splits_of(with_genome(table, genome), f"{path} on {genome}", where=str(genome))
    _warn_of_overlaps(table, splits_found)
    return splits_found


def bed_table(path: str | Path) -> Table:
    """Read the regions of a BED file.

    Args:
        path: A BED file, `.gz` allowed; `track`, `browser` and `#` lines are passed over.

    Returns:
        Its columns by name; start and end are whole numbers with start below end.

    Raises:
        DataError: A row that is none of a BED file, or no row.
    """
    file = existing_file(path)
    lines: list[int] = []
    rows: list[list[str]] = []
    for number, cells in bed_rows(file):
        if rows and len(cells) != len(rows[0]):
            raise DataError(
                f"{file}, line {number}: expected {len(rows[0])} columns as in line {lines[0]}, received {len(cells)}."
            )
        lines.append(number)
        rows.append(cells)
    if not rows:
        raise DataError(f"{file}: expected regions, received none.")
    names = [*_COLUMNS, *(f"column{number}" for number in range(7, len(rows[0]) + 1))][: len(rows[0])]
    columns = zip(*rows, strict=True)
    return Table(file, lines, {name: list(cells) for name, cells in zip(names, columns, strict=True)})


def bed_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the regions of a BED file one after the other: the line, counted from 1, and its cells.

    Args:
        path: An existing file, as for `bed_table`.

    Raises:
        DataError: A row that is none of a BED file.
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
            f"{where}: expected tab-separated chrom, start and end, received {len(cells)} column(s): "
            f"{cells[0][:40]!r}. Separate the columns by tabs."
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


def with_genome(table: Table, genome: str | Path) -> Table:
    """Add the letters of regions, on their strand, as the columns `SEQUENCE` and `PLACE`.

    Args:
        table: Columns ``chrom``, ``start``, ``end`` and optionally ``strand``.
        genome: An uncompressed FASTA file.

    Raises:
        DataError: A chromosome that the genome does not have, or a region that reaches beyond it.
    """
    from degu.data.genome import Genome

    strands = table.columns.get("strand", ["+"] * len(table.lines))
    letters, places = [], []
    with Genome(genome) as source:
        for row, (chrom, start, end) in enumerate(_regions(table)):
            where = f"{table.path}, {table.row(row)}"
            text = source.region(chrom, start, end, where)
            letters.append(detokenize(reverse_complement(tokenize([text])))[0] if strands[row] == "-" else text)
            places.append(f"{chrom}:{start}-{end} ({table.path.name}, {table.row(row)})")
    return table._replace(columns=dict(table.columns) | {SEQUENCE: letters, PLACE: places})


def _regions(table: Table) -> list[tuple[str, int, int]]:
    columns = table.columns
    return [
        (chrom, int(start), int(end))
        for chrom, start, end in zip(columns["chrom"], columns["start"], columns["end"], strict=True)
    ]


def _resized(table: Table, length: int | None) -> Table:
    if length is None:
        return table
    if length < 1:
        raise DataError(f"length: expected at least 1 base, received {length}.")
    starts = [(start + end) // 2 - length // 2 for _, start, end in _regions(table)]
    moved = {"start": list(map(str, starts)), "end": [str(start + length) for start in starts]}
    return table._replace(columns=dict(table.columns) | moved)


def _wanted(roles: Roles, known: Collection[str], id: str | None) -> list[str]:
    columns = [name for name in roles.columns()[1:] if name not in known]
    return [*([] if id is None else [id]), *columns]


def _with_values(table: Table, values: Table, id: str | None) -> Table:
    added = [name for name in values.columns if name not in table.columns and name != id]
    if id is None:
        if len(values.lines) != len(table.lines):
            raise DataError(
                f"{values.path}: expected {len(table.lines)} rows, one for each region of {table.path}, received "
                f"{len(values.lines)}."
            )
        rows = list(range(len(values.lines)))
    else:
        if "name" not in table.columns:
            raise DataError(f"{table.path}: expected a fourth column with names that {values.path} refers to.")
        first: dict[str, int] = {}
        for row, name in enumerate(values.columns[id]):
            if name in first:
                raise DataError(f"{values.at(row, id)}: expected each name once, received {name!r} again.")
            first[name] = row
        for row, name in enumerate(table.columns["name"]):
            if name not in first:
                raise DataError(f"{table.at(row, 'name')}: expected a row of {values.path} for {name!r}, found none.")
        rows = [first[name] for name in table.columns["name"]]
    columns = {name: [values.columns[name][row] for row in rows] for name in added}
    return table._replace(columns=dict(table.columns) | columns)


def _texts(means: npt.NDArray[np.float64]) -> list[str]:
    return ["" if np.isnan(value) else repr(float(value)) for value in means]


def _warn_of_overlaps(table: Table, splits: Splits) -> None:
    """Count regions that share bases with a region of another split."""
    regions = {
        f"{name}-row{line}": region
        for name in SPLIT_NAMES
        for line, region in zip(table.lines, _regions(table), strict=True)
    }
    placed = [(*regions[str(name)], split) for split, part in splits.items() for name in part.ids]
    count = 0
    open_until: dict[tuple[str, str], int] = {}
    for chrom, start, end, split in sorted(placed):
        count += any(open_until.get((chrom, other), 0) > start for other in SPLIT_NAMES if other != split)
        open_until[chrom, split] = max(end, open_until.get((chrom, split), 0))
    if count:
        _LOG.warning(
            "%s: %d region(s) share bases with a region of another split; split by chromosome or by blocks, or leave "
            "them out, so that the test split is unseen",
            table.path,
            count,
        )
