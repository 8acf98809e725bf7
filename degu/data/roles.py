"""Which column of a table plays which part, and the data set that follows from it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from degu.data.cells import numbers, replicate_std
from degu.data.delimited import Table
from degu.data.encoding import Ambiguous, Uracil, tokenize
from degu.data.filters import keep_equal
from degu.data.split import Split
from degu.data.split_makers import SplitMaker
from degu.data.splits import Splits
from degu.errors import DataError, nearest

_LOG = logging.getLogger(__name__)

SPLIT_NAMES = ("train", "valid", "test")
PLACE = "\0place"
"""Column that says where a sequence stands, if that is not the line of its row."""


@dataclass(frozen=True)
class Roles:
    """Columns of a table by what they mean; `degu.data.read_table` explains each.

    Raises:
        DataError: Columns that contradict each other.
    """

    targets: Sequence[str]
    sequence: str = "sequence"
    split: str | SplitMaker = "split"
    splits: Mapping[str, str | int | Sequence[str | int]] | None = None
    id: str | None = None
    target_std: Sequence[str] | None = None
    replicates: Mapping[str, Sequence[str]] | None = None
    where: Mapping[str, str | int | float] | None = None
    ambiguous: Ambiguous = "refuse"
    uracil: Uracil = "refuse"

    def __post_init__(self) -> None:
        targets, deviations = _column_lists(self.targets, self.target_std)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "target_std", deviations)
        object.__setattr__(self, "replicates", _replicate_lists(self.replicates, targets, deviations))
        _split_values(self.splits)

    def columns(self) -> list[str]:
        """Return the columns to read, the sequence first."""
        split = [self.split] if isinstance(self.split, str) else list(self.split.columns)
        columns = [self.sequence, *split, *self.targets, *(self.target_std or [])]
        columns += [*([] if self.id is None else [self.id]), *(self.where or {})]
        return columns + [column for part in (self.replicates or {}).values() for column in part]

    def splits_of(self, table: Table, source: str, where: str | None = None) -> Splits:
        """Build the data set.

        Args:
            table: Cells of all `columns()`, and optionally of `PLACE`.
            source: Where the data came from, for the record.
            where: What the sequences are, for error messages; by default file and column.

        Raises:
            DataError: Cells that do not fit, with their place.
        """
        for column, value in (self.where or {}).items():
            table = keep_equal(table, column, value)
        present: Counter[str] = Counter()
        wanted = {name: frozenset([name]) for name in SPLIT_NAMES}
        if isinstance(self.split, str):
            wanted = _split_values(self.splits)
            present = Counter(table.columns[self.split])
            table = _keep_splits(table, self.split, frozenset().union(*wanted.values()))
        table, values = _keep_measured(table, list(self.targets))
        std = self._deviations(table)
        if isinstance(self.split, str):
            rows = _rows_by_split(table, self.split, wanted, present)
            tokens = self._tokens(table, where)
        else:
            tokens = self._tokens(table, where)
            rows = _rows_by_label(table, self.split(table, tokens))
        ids = _numbered_ids(table, rows) if self.id is None else _unique_ids(table, self.id)
        parts = {
            name: Split(tokens[part], values[part], ids[part], None if std is None else std[part])
            for name, part in rows.items()
        }
        try:
            return Splits(
                parts["train"], parts["valid"], parts["test"], target_names=tuple(self.targets), source=source
            )
        except DataError as error:
            raise DataError(f"{table.path}: {error}") from None

    def _deviations(self, table: Table) -> npt.NDArray[np.float32] | None:
        if self.target_std:
            return numbers(table, list(self.target_std), minimum=0.0)
        return replicate_std(table, self.targets, self.replicates or {})

    def _tokens(self, table: Table, where: str | None) -> npt.NDArray[np.uint8]:
        places = table.columns.get(PLACE)
        return tokenize(
            table.columns[self.sequence],
            where=where or f"{table.path}, column {self.sequence!r}",
            name_row=table.row if places is None else places.__getitem__,
            ambiguous=self.ambiguous,
            uracil=self.uracil,
        )


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


def _split_values(splits: Mapping[str, str | int | Sequence[str | int]] | None) -> dict[str, frozenset[str]]:
    if splits is None:
        return {name: frozenset([name]) for name in SPLIT_NAMES}
    values = {
        name: frozenset([str(value)] if isinstance(value, str | int) else map(str, value))
        for name, value in splits.items()
    }
    count = sum(map(len, values.values()))
    if set(values) != set(SPLIT_NAMES) or not all(values.values()) or len(frozenset().union(*values.values())) != count:
        raise DataError(
            f"splits: expected different values for each of train, valid and test, received {dict(splits)}."
        )
    return {name: values[name] for name in SPLIT_NAMES}


def _keep_splits(table: Table, column: str, wanted: frozenset[str]) -> Table:
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
    table: Table, column: str, wanted: dict[str, frozenset[str]], present: Counter[str]
) -> dict[str, npt.NDArray[np.intp]]:
    rows = {}
    used = frozenset().union(*wanted.values())
    for name, values in wanted.items():
        rows[name] = np.flatnonzero([cell in values for cell in table.columns[column]])
        if not rows[name].size:
            found = ", ".join(f"{cell!r} ({count} rows)" for cell, count in present.most_common(6))
            raise DataError(
                f"{table.path}, column {column!r}: expected measured rows with "
                f"{' or '.join(map(repr, sorted(values)))} for the {name} "
                f"split, received none. The column holds {found}."
                f"{nearest(min(values), [cell for cell in present if cell not in used])} "
                "The argument splits says which value stands for which split."
            )
    return rows


def _rows_by_label(table: Table, labels: npt.NDArray[np.str_]) -> dict[str, npt.NDArray[np.intp]]:
    rows = {name: np.flatnonzero(labels == name) for name in SPLIT_NAMES}
    for name, part in rows.items():
        if not part.size:
            raise DataError(f"{table.path}: expected the split to leave rows for {name}, received none.")
    return rows


def _numbered_ids(table: Table, rows: dict[str, npt.NDArray[np.intp]]) -> npt.NDArray[np.str_]:
    names = np.full(len(table.lines), "", dtype=object)
    for name, part in rows.items():
        for row in part:
            names[row] = f"{name}-row{table.lines[row]}"
    return names.astype(np.str_)


def _unique_ids(table: Table, column: str) -> npt.NDArray[np.str_]:
    first: dict[str, int] = {}
    for row, name in enumerate(table.columns[column]):
        if name in first:
            raise DataError(
                f"{table.at(row, column)}: expected unique ids, received {name!r} again after {table.unit} "
                f"{table.lines[first[name]]}. Choose another id column, or none to number the rows."
            )
        first[name] = row
    return np.array(table.columns[column])
