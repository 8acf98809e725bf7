"""Whether a student explains its predictions as consistently as its ensemble does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from degu.attribution import (
    consistency_table,
    gradient_correction,
    network_output,
    saliency,
    student_output,
)
from degu.data.split import Split
from degu.distill.targets import StudentColumns


def explanation_consistency(
    split: Split,
    names: Sequence[str],
    members: Sequence[keras.Model],
    student: keras.Model,
    columns: StudentColumns,
    num_sequences: int,
    prefix: str = "",
) -> dict[str, float]:
    """Compare corrected saliency maps of the predicted activity with the mean map of the ensemble.

    Args:
        split: Where the sequences are taken from: for every target those of the highest measured activity.
        names: The K target names.
        members: The networks of the ensemble.
        student: The student.
        columns: Layout of the student's outputs.
        num_sequences: Sequences a target, at most.
        prefix: Put before every key.

    Returns:
        `{"<prefix><metric>/<row>/<target>": value}` with the metrics of `consistency_table`, the rows `single` (each
        member against the mean of all), `single_left_out` (against the mean of the others) and `student`, and as
        target `mean` the average over targets.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """
    tables = []
    for number, name in enumerate(names):
        tokens = split.tokens[most_active(split.targets[:, number], num_sequences)]
        maps = [_map(network_output(member, target=number), tokens) for member in members]
        own = _map(student_output(student, columns, target=number), tokens)
        groups = {"single": np.stack(maps), "student": own[None]}
        reference = np.mean(maps, axis=0)
        tables.append(consistency_table(groups, reference, members="single", prefix=prefix, target=name))
    flat = {key: value for table in tables for key, value in table.items()}
    for key in tables[0]:
        stem = key.removesuffix(f"/{names[0]}")
        flat[f"{stem}/mean"] = float(np.mean([flat[f"{stem}/{name}"] for name in names]))
    return flat


def consistency_rows(metrics: dict[str, float], prefix: str = "") -> list[dict[str, Any]]:
    """Return the metrics of `explanation_consistency` as rows of a table: `row`, `target`, and every metric."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for key, value in metrics.items():
        metric, row, target = key.removeprefix(prefix).split("/", 2)
        is_sd = row.endswith("_sd")
        row = row.removesuffix("_sd")
        rows.setdefault((row, target), {"row": row, "target": target})[f"{metric}_sd" if is_sd else metric] = value
    return list(rows.values())


def most_active(measured: NDArray, count: int) -> NDArray[np.intp]:
    """Return row numbers of the highest measurements `(N,)`, highest first; rows that were not measured come last."""
    return np.argsort(-np.nan_to_num(measured, nan=-np.inf), kind="stable")[:count]


def _map(output: Any, tokens: NDArray[np.uint8]) -> NDArray:
    return gradient_correction(saliency(output, tokens))
