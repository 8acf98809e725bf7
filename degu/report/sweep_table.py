"""The jobs of a sweep side by side, as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from degu.report.table import aligned

LONGEST = 30
"""Jobs that the text shows; the TSV has all."""

_ROWS = {"single_mean": "test single models", "ensemble": "test ensemble", "student": "test student"}


class SweepRow(NamedTuple):
    """One job.

    Attributes:
        number: Its number in the sweep.
        status: What became of it.
        values: What differs between jobs, by override key.
        metric: Name of the objective.
        objective: Its value, None where there is none.
        metrics: Flat metrics of the study; empty before its end.
        seconds: Of the last attempt.
        run_id: Its run.
        folder: Its folder, relative to that of the sweep.
    """

    number: int
    status: str
    values: Mapping[str, str]
    metric: str
    objective: float | None
    metrics: Mapping[str, float]
    seconds: float
    run_id: str
    folder: str


def sweep_tsv(rows: Sequence[SweepRow], best: int | None) -> str:
    """Return one line a job, in order of their numbers, with full precision.

    Args:
        rows: The jobs.
        best: Number of the best one.
    """
    keys = _keys(rows)
    header = ["job", "status", "best", *keys, "metric", "objective", *_ROWS.values(), "seconds", "run_id", "folder"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow([name.replace(" ", "_") for name in header])
    for row in rows:
        numbers = [row.objective, *(_of_test(row, name) for name in _ROWS)]
        cells = ["" if number is None else repr(number) for number in numbers]
        values = [row.values.get(key, "") for key in keys]
        best_cell = "yes" if row.number == best else ""
        writer.writerow(
            [row.number, row.status, best_cell, *values, row.metric, *cells, row.seconds, row.run_id, row.folder]
        )
    return buffer.getvalue()


def sweep_text(rows: Sequence[SweepRow], best: int | None, direction: str) -> str:
    """Return an aligned table, the best job first and marked with `*`; failed ones last.

    Args:
        rows: The jobs.
        best: Number of the best one.
        direction: `maximize` or `minimize`.
    """
    keys, metrics = _keys(rows), sorted({row.metric for row in rows})
    sign = -1.0 if direction == "maximize" else 1.0
    ordered = sorted(rows, key=lambda row: (row.objective is None, sign * (row.objective or 0.0), row.number))
    short = _short(keys)
    several = ["metric"] if len(metrics) > 1 else []
    lines = [["", "job", "status", *short, *several, "objective", *_ROWS.values(), "minutes"]]
    for row in ordered[:LONGEST]:
        numbers = [_number(row.objective), *(_number(_of_test(row, name)) for name in _ROWS)]
        mark = "*" if row.number == best else ""
        values = [rounded(row.values.get(key, "")) for key in keys]
        own = [row.metric] if several else []
        lines.append([mark, str(row.number), row.status, *values, *own, *numbers, f"{row.seconds / 60:.1f}"])
    text = aligned(lines)
    if not several and metrics:
        text.insert(0, f"objective: {metrics[0]}, {direction}")
    if len(ordered) > LONGEST:
        text.append(f"... and {len(ordered) - LONGEST} more in comparison.tsv")
    return "\n".join(text)


def rounded(text: str) -> str:
    """Return a value with three digits, if it is a number with more."""
    try:
        return min(text, f"{float(text):.3g}", key=len)
    except ValueError:
        return text


def _keys(rows: Sequence[SweepRow]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.values))


def _short(keys: Sequence[str]) -> list[str]:
    """Return the last words of dotted keys where that leaves them different."""
    last = [key.lstrip("+").rpartition(".")[2] for key in keys]
    return [tail if last.count(tail) == 1 else key for key, tail in zip(keys, last, strict=True)]


def _of_test(row: SweepRow, model: str) -> float | None:
    """Return the objective's metric on the test split, of single models, the ensemble or the student."""
    parts = row.metric.split("/")
    if len(parts) != 5:
        return None
    return row.metrics.get("/".join(["test", *parts[1:3], model, parts[4]]))


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"
