"""Whether a student explains its predictions as consistently as its ensemble does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from degu.attribution import (
    consistency_table,
    gradient_correction,
    network_output,
    of_sequence,
    saliency,
    student_output,
)
from degu.data.split import Split
from degu.distill.targets import StudentColumns


class Explained(NamedTuple):
    """Corrected saliency maps of the predicted activity of one target.

    Attributes:
        target: Name of the target.
        rows: Row numbers of n sequences in their split, those of the highest measured activity, highest first.
        tokens: The sequences, `(n, L)`.
        members: Maps of the M members, `(M, n, L, 4)`.
        student: Maps of the student, `(n, L, 4)`.
    """

    target: str
    rows: NDArray[np.intp]
    tokens: NDArray[np.uint8]
    members: NDArray
    student: NDArray


def explain(
    split: Split,
    names: Sequence[str],
    members: Sequence[keras.Model],
    student: keras.Model,
    columns: StudentColumns,
    num_sequences: int,
) -> list[Explained]:
    """Return the maps of all models, target by target.

    Args:
        split: Where the sequences are taken from: for every target those of the highest measured activity.
        names: The K target names.
        members: The networks of the ensemble.
        student: The student.
        columns: Layout of the student's outputs.
        num_sequences: Sequences a target, at most.
    """
    found = []
    for number, name in enumerate(names):
        rows = most_active(split.targets[:, number], num_sequences)
        tokens = split.tokens[rows]
        maps = np.stack([_map(network_output(member, target=number), tokens) for member in members])
        found.append(Explained(name, rows, tokens, maps, _map(student_output(student, columns, target=number), tokens)))
    return found


def explanation_consistency(explained: Sequence[Explained], prefix: str = "") -> dict[str, float]:
    """Compare the maps with the mean map of the ensemble.

    Args:
        explained: Of `explain`.
        prefix: Put before every key.

    Returns:
        `{"<prefix><metric>/<row>/<target>": value}` with the metrics of `consistency_table`, the rows `single` (each
        member against the mean of all), `single_left_out` (against the mean of the others) and `student`, and as
        target `mean` the average over targets.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """
    tables = []
    for part in explained:
        groups = {"single": part.members, "student": part.student[None]}
        reference = part.members.mean(axis=0)
        tables.append(consistency_table(groups, reference, members="single", prefix=prefix, target=part.target))
    flat = {key: value for table in tables for key, value in table.items()}
    for key in tables[0]:
        stem = key.removesuffix(f"/{explained[0].target}")
        flat[f"{stem}/mean"] = float(np.mean([flat[f"{stem}/{part.target}"] for part in explained]))
    return flat


def logo_arrays(explained: Sequence[Explained], ids: NDArray[np.str_], num_logos: int) -> dict[str, NDArray]:
    """Return what logos of the first sequences of every target are drawn from.

    Args:
        explained: Of `explain`, for K targets.
        ids: Names of all sequences of the split.
        num_logos: Sequences n of every target, at most.

    Returns:
        `target_names` `(K,)`, `ids` `(K, n)`, `tokens` `(K, n, L)`, and contributions of the sequences' own letters:
        `ensemble` (mean over members), `ensemble_sd` (standard deviation over them, ddof 1) and `student`, each
        `(K, n, L)`.
    """
    shown = slice(num_logos)
    members = np.stack([of_sequence(part.members[:, shown], part.tokens[shown]).sum(axis=-1) for part in explained])
    return {
        "target_names": np.array([part.target for part in explained], dtype=np.str_),
        "ids": np.stack([ids[part.rows[shown]] for part in explained]),
        "tokens": np.stack([part.tokens[shown] for part in explained]),
        "ensemble": members.mean(axis=1),
        "ensemble_sd": members.std(axis=1, ddof=1),
        "student": np.stack([of_sequence(part.student[shown], part.tokens[shown]).sum(axis=-1) for part in explained]),
    }


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
