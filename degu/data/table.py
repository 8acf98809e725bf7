"""Read a data set from one table with a column that says which split a row belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from degu.data.delimited import read_columns
from degu.data.encoding import Ambiguous, Uracil
from degu.data.roles import Roles
from degu.data.split_makers import SplitMaker
from degu.data.splits import Splits


def read_table(
    path: str | Path,
    *,
    targets: Sequence[str],
    sequence: str = "sequence",
    split: str | SplitMaker = "split",
    splits: Mapping[str, str | int | Sequence[str | int]] | None = None,
    id: str | None = None,
    target_std: Sequence[str] | None = None,
    replicates: Mapping[str, Sequence[str]] | None = None,
    where: Mapping[str, str | int | float] | None = None,
    motifs: Sequence[str] | None = None,
    delimiter: str | None = None,
    ambiguous: Ambiguous = "refuse",
    uracil: Uracil = "refuse",
) -> Splits:
    """Read train, valid and test from one table.

    Args:
        path: A `.tsv` or `.csv` file, `.gz` allowed, or a `.parquet` file; a relative path is resolved against the
            current directory.
        targets: Columns of measured values; an empty cell, `NA` or `NaN` means "not measured".
        sequence: Column of DNA, all of one length; letters A, C, G, T, N in either case.
        split: Column that names a row's split, or what makes the splits, such as `degu.data.BySimilarity`.
        splits: What that column holds for ``train``, ``valid`` and ``test``, one value or a list; by default these
            words. Rows with other values are left out, and counted in the log.
        id: Column of unique row names; by default ``train-row2`` and so on, after the line in the file.
        target_std: Columns with the standard deviation over replicates, one per target.
        replicates: Instead of `target_std`, for some targets the columns of their replicates. The standard deviation
            (ddof 1) is over those that were measured; it is unknown (NaN) for fewer than two and for other targets.
        where: Keep only rows where each of these columns equals its value: numbers compare as numbers,
            anything else as text.
        motifs: Motifs that the activity is known to depend on, in IUPAC letters; see `Splits`.
        delimiter: One character; by default a tab for `.tsv` and a comma for `.csv`.
        ambiguous: ``"as_n"`` reads the letters R, Y, S, W, K, M, B, D, H and V as N; otherwise they are refused.
        uracil: ``"as_t"`` reads U as T; otherwise it is refused.

    Returns:
        The data set. Rows without any measured target are left out, and counted in the log.

    Raises:
        DataError: Anything in the file that does not fit, with file, line, column and what was expected.
    """
    roles = Roles(targets, sequence, split, splits, id, target_std, replicates, where, ambiguous, uracil)
    read = roles.splits_of(read_columns(path, roles.columns(), delimiter), source=str(path))
    return replace(read, motifs=tuple(motifs or ()))
