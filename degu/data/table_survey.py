"""What the cells of a table hold, also where a reader would refuse them."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from degu.data.cells import NOT_MEASURED, read_number, replicate_std
from degu.data.delimited import Table, read_columns
from degu.data.encoding import codes
from degu.data.kmers import chunks
from degu.data.roles import SPLIT_NAMES
from degu.data.survey import Measured, Survey, survey_arrays
from degu.data.target_survey import Finding
from degu.errors import DataError

_INVALID = 255
_CODE = np.arange(256, dtype=np.uint8)
_KINDS = {
    "strict": codes() == _INVALID,
    "uracil": np.isin(_CODE, list(b"Uu")),
    "ambiguous": np.isin(_CODE, list(b"RYSWKMBDHVryswkmbdhv")),
    "other": codes("as_n", "as_t") == _INVALID,
    "lower": np.isin(_CODE, list(string.ascii_lowercase.encode())),
}
"""Which of the 256 bytes are letters of a kind."""


class Question(NamedTuple):
    """Which columns of a table to look at.

    Attributes:
        sequence: Column of DNA.
        targets: Columns of measured values; None takes every column that holds mostly numbers.
        split: Column of the split, or None.
        splits: What it holds for train, valid and test.
        id: Column of row names, or None.
        target_std: Columns with standard deviations, one per target.
        replicates: Columns of the replicates of some targets.
        delimiter: What separates the columns; None takes it from the name.
    """

    sequence: str = "sequence"
    targets: Sequence[str] | None = None
    split: str | None = "split"
    splits: Mapping[str, Sequence[str]] | None = None
    id: str | None = None
    target_std: Sequence[str] | None = None
    replicates: Mapping[str, Sequence[str]] | None = None
    delimiter: str | None = None


def survey_table(path: str | Path, question: Question) -> Survey:
    """Describe a table.

    Args:
        path: A file as `degu.data.read_table` takes it.
        question: Its columns.

    Returns:
        Facts and findings; rows whose sequence cannot be read, or has another length than most, are counted and then
        left out.

    Raises:
        DataError: A file that cannot be read, or a column that is not there.
    """
    table = read_columns(path, None if question.targets is None else _columns(question), question.delimiter)
    for name in _columns(question):
        if name not in table.columns:
            raise DataError(f"{table.path}: expected a column {name!r}, received {list(table.columns)[:20]}.")
    findings: list[Finding] = []
    targets = list(question.targets) if question.targets is not None else _guessed(table, question, findings)
    facts: dict[str, Any] = {"file": str(table.path), "all rows": len(table.lines)}
    rows, tokens = _sequences(table, question.sequence, facts, findings)
    _check_ids(table, question.id, findings)
    labels = _labels(table, question, findings)
    values = _values(table, targets, findings)
    std, replicates = _deviations(table, question, targets, findings)
    findings += _unmeasured(values, labels, targets)
    used = rows if labels is None else rows & np.isin(labels, SPLIT_NAMES)
    used &= ~np.isnan(values).all(axis=1) if targets else used
    if not used.any():
        findings.append(Finding("problem", "no row has a sequence, a split and a measured target that can be read."))
        return Survey(facts, findings)
    described = survey_arrays(
        Measured(
            tokens[used[rows]],
            values[used],
            targets,
            None if labels is None else labels[used],
            None if std is None else std[used],
            {name: columns[used] for name, columns in replicates.items()},
        )
    )
    every = [*findings, *described.findings]
    return Survey(facts | described.facts, sorted(every, key=lambda finding: finding.kind != "problem"))


def _columns(question: Question) -> list[str]:
    named = [question.sequence, question.split, question.id, *(question.targets or []), *(question.target_std or [])]
    named += [column for part in (question.replicates or {}).values() for column in part]
    return [name for name in named if name is not None]


def _guessed(table: Table, question: Question, findings: list[Finding]) -> list[str]:
    taken = set(_columns(question))
    found = [name for name, cells in table.columns.items() if name not in taken and _is_numeric(cells)]
    findings.append(
        Finding(
            "note",
            f"targets were not named; these columns hold numbers: {', '.join(found) or 'none'}. Name the "
            "targets with --targets.",
        )
    )
    return found


def _is_numeric(cells: list[str]) -> bool:
    looked_at = [cell for cell in cells[:1000] if cell not in NOT_MEASURED]
    return bool(looked_at) and sum(_parsed(cell) is not None for cell in looked_at) > 0.9 * len(looked_at)


def _parsed(cell: str) -> float | None:
    try:
        return read_number(cell)
    except ValueError:
        return None


def _sequences(
    table: Table, column: str, facts: dict[str, Any], findings: list[Finding]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    cells = table.columns[column]
    lengths = np.array([len(cell) for cell in cells])
    counts = Counter(lengths.tolist())
    common = max(counts, key=lambda size: (counts[size] if size else 0, size))
    facts["lengths"] = {int(size): count for size, count in sorted(counts.items())[:50]}
    if not common:
        raise DataError(f"{table.path}, column {column!r}: expected DNA, received empty cells only.")
    odd = np.flatnonzero(lengths != common)
    if odd.size:
        findings.append(
            Finding(
                "problem",
                f"{odd.size} sequences have another length than most ({common} letters), first in "
                f"{table.at(int(odd[0]), column)} ({lengths[odd[0]]} letters). Trim them, pad them with N, or drop "
                "them.",
            )
        )
    rows = lengths == common
    places = np.flatnonzero(rows)
    tokens, marked = _read(cells, places, common)
    for kind, what, remedy in (
        ("uracil", "U", "Write T for U, or read it so with uracil=as_t."),
        ("ambiguous", "letters that stand for several bases", "Write N, or read them so with ambiguous=as_n."),
        ("other", "letters that are no bases", "Remove them, or write N."),
    ):
        _report_letters(table, column, places[marked[kind]], _KINDS[kind], what, remedy, findings)
    lower = int(marked["lower"].sum())
    if lower:
        findings.append(Finding("note", f"{lower} sequences have lower-case letters; they are read as upper case."))
    facts["sequences with other letters than A, C, G, T, N"] = int(marked["strict"].sum())
    rows[places[marked["other"]]] = False
    return rows, tokens[~marked["other"]] if marked["other"].any() else tokens


def _read(
    cells: list[str], places: npt.NDArray[np.intp], length: int
) -> tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[np.bool_]]]:
    """Return the tokens of some cells, and for each kind of letters which of these have one, shape (N,)."""
    tokens = np.empty((len(places), length), dtype=np.uint8)
    marked = {kind: np.empty(len(places), dtype=np.bool_) for kind in _KINDS}
    for part in chunks(tokens):
        letters = _bytes("".join(cells[row] for row in places[part])).reshape(-1, length)
        tokens[part] = codes("as_n", "as_t")[letters]
        for kind, table in _KINDS.items():
            marked[kind][part] = table[letters].any(axis=1)
    return tokens, marked


def _bytes(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode("ascii", errors="replace"), dtype=np.uint8)


def _report_letters(
    table: Table,
    column: str,
    faulty: npt.NDArray[np.intp],
    is_kind: npt.NDArray[np.bool_],
    what: str,
    remedy: str,
    findings: list[Finding],
) -> None:
    if faulty.size:
        row = int(faulty[0])
        cell = table.columns[column][row]
        position = int(is_kind[_bytes(cell)].argmax())
        findings.append(
            Finding(
                "problem",
                f"{faulty.size} sequences hold {what}, first {cell[position]!r} in {table.at(row, column)}, "
                f"position {position} (counted from 0). {remedy}",
            )
        )


def _check_ids(table: Table, id: str | None, findings: list[Finding]) -> None:
    if id is None:
        return
    first: dict[str, int] = {}
    repeated = [row for row, name in enumerate(table.columns[id]) if first.setdefault(name, row) != row]
    if repeated:
        name = table.columns[id][repeated[0]]
        findings.append(
            Finding(
                "problem",
                f"{len(repeated)} ids are repeated, first {name!r} in {table.at(repeated[0], id)}, after "
                f"{table.row(first[name])}. Make them unique, or name no id column.",
            )
        )


def _labels(table: Table, question: Question, findings: list[Finding]) -> npt.NDArray[np.str_] | None:
    if question.split is None:
        findings.append(
            Finding(
                "note",
                "there is no split. degu data split FILE --by similarity (or chromosome, blocks, random) writes one.",
            )
        )
        return None
    known = {name: [name] for name in SPLIT_NAMES} if question.splits is None else question.splits
    meaning = {str(value): name for name, values in known.items() for value in values}
    cells = table.columns[question.split]
    counts = Counter(cells)
    for name in SPLIT_NAMES:
        if not any(meaning.get(cell) == name for cell in counts):
            held = ", ".join(f"{cell!r} ({count} rows)" for cell, count in counts.most_common(6))
            findings.append(
                Finding(
                    "problem",
                    f"column {question.split!r}: no rows for {name}. It holds {held}; say what stands for "
                    "what with --train, --valid and --test, or split with degu data split.",
                )
            )
    return np.array([meaning.get(cell, "") for cell in cells])


def _values(table: Table, targets: list[str], findings: list[Finding]) -> npt.NDArray[np.float32]:
    values = np.full((len(table.lines), len(targets)), np.nan, dtype=np.float32)
    for index, name in enumerate(targets):
        wrong: list[int] = []
        for row, cell in enumerate(table.columns[name]):
            number = _parsed(cell)
            if number is None:
                wrong.append(row)
            else:
                values[row, index] = number
        if wrong:
            cell = table.columns[name][wrong[0]]
            findings.append(
                Finding(
                    "problem",
                    f"{len(wrong)} cells hold no finite number, first {cell[:40]!r} in "
                    f"{table.at(wrong[0], name)}. Write a number with a decimal point, or leave the cell empty for "
                    "'not measured'.",
                )
            )
    return values


def _deviations(
    table: Table, question: Question, targets: list[str], findings: list[Finding]
) -> tuple[npt.NDArray[np.float32] | None, dict[str, npt.NDArray[np.float32]]]:
    if question.target_std:
        return _values(table, list(question.target_std), findings), {}
    replicates = {
        name: _values(table, list(columns), findings)
        for name, columns in (question.replicates or {}).items()
        if name in targets
    }
    try:
        return replicate_std(table, targets, question.replicates or {}), replicates
    except DataError:
        # said already
        return None, replicates


def _unmeasured(
    values: npt.NDArray[np.float32], labels: npt.NDArray[np.str_] | None, targets: list[str]
) -> list[Finding]:
    if not targets:
        return []
    count = int(np.isnan(values).all(axis=1).sum())
    if not count:
        return []
    return [Finding("note", f"{count} rows have no measured target and are left out.")]
