"""Read a data set from one delimited table with a column that says which split a row belongs to."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from degu.data.cells import numbers, replicate_std
from degu.data.delimited import Table, read_columns
from degu.data.encoding import tokenize
from degu.data.split import Split
from degu.data.splits import Splits
from degu.errors import DataError, nearest

_LOG = logging.getLogger(__name__)

_SPLIT_NAMES = ("train", "valid", "test")


def read_table(
    path: str | Path,
    *,
    targets: Sequence[str],
    sequence: str = "sequence",
    split: str = "split",
    splits: Mapping[str, str | int] | None = None,
    id: str | None = None,
    target_std: Sequence[str] | None = None,
    replicates: Mapping[str, Sequence[str]] | None = None,
    where: Mapping[str, str | int | float] | None = None,
    motifs: Sequence[str] | None = None,
    delimiter: str | None = None,
) -> Splits:
    """Read train, valid and test from one table.

    Args:
        path: A `.tsv` or `.csv` file, `.gz` allowed; a relative path is resolved against the current
            directory.
        targets: Columns of measured values; an empty cell, `NA` or `NaN` means "not measured".
        sequence: Column of DNA, all of one length; letters A, C, G, T, N in either case.
        split: Column that names a row's split.
        splits: What that column holds for ``train``, ``valid`` and ``test``; by default these words. Rows
            with other values are left out, and counted in the log.
        id: Column of unique row names; by default ``train-row2`` and so on, after the line in the file.
        target_std: Columns with the standard deviation over replicates, one per target.
        replicates: Instead of `target_std`, for some targets the columns of their replicates. The standard deviation
            (ddof 1) is over those that were measured; it is unknown (NaN) for fewer than two and for other targets.
        where: Keep only rows where each of these columns equals its value: numbers compare as numbers,
            anything else as text.
        motifs: Motifs that the activity is known to depend on, in IUPAC letters; see `Splits`.
        delimiter: One character; by default a tab for `.tsv` and a comma for `.csv`.

    Returns:
        The data set. Rows without any measured target are left out, and counted in the log.

    Raises:
        DataError: Anything in the file that does not fit, with file, line, column and what was expected.
    """
    names, deviations = _column_lists(targets, target_std)
    measured_by = _replicate_lists(replicates, names, deviations)
    wanted = _split_values(splits)
    filters = dict(where or {})
    columns = [sequence, split, *names, *deviations, *([] if id is None else [id]), *filters]
    columns += [column for part in measured_by.values() for column in part]
    table = read_columns(path, columns, delimiter)
    for column, value in filters.items():
        table = _keep_equal(table, column, value)
    present = Counter(table.columns[split])
    table = _keep_splits(table, split, set(wanted.values()))
    table, values = _keep_measured(table, names)
    std = numbers(table, deviations, minimum=0.0) if deviations else replicate_std(table, names, measured_by)
    rows = _rows_by_split(table, split, wanted, present)
    tokens = tokenize(
        table.columns[sequence],
        where=f"{table.path}, column {sequence!r}",
        name_row=lambda row: f"line {table.lines[row]}",
    )
    ids = _numbered_ids(table, rows) if id is None else _unique_ids(table, id)
    parts = {
        name: Split(tokens[part], values[part], ids[part], None if std is None else std[part])
        for name, part in rows.items()
    }
    return replace(_assemble(table.path, parts, names, source=str(path)), motifs=tuple(motifs or ()))


def _column_lists(targets: Sequence[str], target_std: Sequence[str] | None) -> tuple[list[str], list[str]]:
    for argument, names in (("targets", targets), ("target_std", target_std)):
        if isinstance(names, str):
            raise DataError(f"{argument}: expected a list of column names, received {names!r}. Put it in a list.")
    columns, deviations = list(targets), list(target_std or [])
    if not columns or len(set(columns)) != len(columns):
        raise DataError(f"targets: expected at least one column, each once, received {columns}.")
    if deviations and len(deviations) != len(columns):
        raise DataError(
            f"target_std: expected {len(columns)} columns, one per target, received {len(deviations)}: {deviations}."
        )
    return columns, deviations


def _replicate_lists(
    replicates: Mapping[str, Sequence[str]] | None, targets: list[str], deviations: list[str]
) -> dict[str, list[str]]:
    if replicates and deviations:
        raise DataError(f"replicates: expected either replicates or target_std, received both ({deviations}).")
    lists = {}
    for target, columns in (replicates or {}).items():
        if target not in targets:
            raise DataError(f"replicates: expected targets, {targets}, received {target!r}.{nearest(target, targets)}")
        if isinstance(columns, str) or len(set(columns)) < 2 or len(set(columns)) < len(columns):
            raise DataError(
                f"replicates of {target!r}: expected a list of two or more columns, each once, received {columns!r}."
            )
        lists[target] = list(columns)
    return lists


def _split_values(splits: Mapping[str, str | int] | None) -> dict[str, str]:
    if splits is None:
        return {name: name for name in _SPLIT_NAMES}
    values = {name: str(value) for name, value in splits.items()}
    if set(values) != set(_SPLIT_NAMES) or len(set(values.values())) != len(values):
        raise DataError(
            f"splits: expected a different value for each of train, valid and test, received {dict(splits)}."
        )
    return {name: values[name] for name in _SPLIT_NAMES}


def _keep_equal(table: Table, column: str, value: str | int | float) -> Table:
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


def _keep_splits(table: Table, column: str, wanted: set[str]) -> Table:
    cells = table.columns[column]
    rows = np.flatnonzero([cell in wanted for cell in cells])
    if len(rows) < len(cells):
        _LOG.info(
            "%s: left out %d of %d rows whose %r is none of %s",
            table.path,
            len(cells) - len(rows),
            len(cells),
            column,
            sorted(wanted),
        )
    return table.take(rows)


def _keep_measured(table: Table, targets: list[str]) -> tuple[Table, npt.NDArray[np.float32]]:
    values = numbers(table, targets)
    rows = np.flatnonzero(~np.isnan(values).all(axis=1))
    if len(rows) < len(values):
        _LOG.info(
            "%s: left out %d of %d rows without any measured target",
            table.path,
            len(values) - len(rows),
            len(values),
        )
    return table.take(rows), values[rows]


def _rows_by_split(
    table: Table, column: str, wanted: dict[str, str], present: Counter[str]
) -> dict[str, npt.NDArray[np.intp]]:
    rows = {}
    for name, value in wanted.items():
        rows[name] = np.flatnonzero([cell == value for cell in table.columns[column]])
        if not rows[name].size:
            found = ", ".join(f"{cell!r} ({count} rows)" for cell, count in present.most_common(6))
            raise DataError(
                f"{table.path}, column {column!r}: expected measured rows with {value!r} for the {name} "
                f"split, received none. The column holds {found}."
                f"{nearest(value, [cell for cell in present if cell not in wanted.values()])} "
                "The argument splits says which value stands for which split."
            )
    return rows


def _numbered_ids(table: Table, rows: dict[str, npt.NDArray[np.intp]]) -> npt.NDArray[np.str_]:
    ids = {row: f"{name}-row{table.lines[row]}" for name, part in rows.items() for row in part}
    return np.array([ids[row] for row in range(len(table.lines))])


def _unique_ids(table: Table, column: str) -> npt.NDArray[np.str_]:
    first: dict[str, int] = {}
    for row, name in enumerate(table.columns[column]):
        if name in first:
            raise DataError(
                f"{table.at(row, column)}: expected unique ids, received {name!r} again after line "
                f"{table.lines[first[name]]}. Choose another id column, or none to number the rows."
            )
        first[name] = row
    return np.array(table.columns[column])


def _assemble(path: Path, parts: dict[str, Split], names: list[str], source: str) -> Splits:
    try:
        return Splits(parts["train"], parts["valid"], parts["test"], tuple(names), source)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
