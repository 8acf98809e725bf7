"""What a data set consists of, and what about it will get in the way of a model.

`survey_arrays` looks at sequences and numbers that can be read; `degu.data.table_survey` at the cells of a table, where
some cannot. Both return facts for people and programs, and findings: problems to mend, and notes to know.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from degu.data.encoding import LETTERS
from degu.data.kmers import distinct, letter_counts, strandless
from degu.data.leaks import find_leaks, shared_stretches
from degu.data.splits import Splits
from degu.data.target_survey import Finding, replicate_facts, target_facts

_GC_SHIFT = 0.05


class Survey(NamedTuple):
    """A data set in facts and findings.

    Attributes:
        facts: Plain values, nested by subject.
        findings: Problems first.
    """

    facts: dict[str, Any]
    findings: list[Finding]

    @property
    def problems(self) -> int:
        """Number of problems."""
        return sum(finding.kind == "problem" for finding in self.findings)


class Measured(NamedTuple):
    """Sequences with what was measured on them.

    Attributes:
        tokens: Shape (N, L).
        targets: Shape (N, K), NaN where not measured.
        names: K names.
        labels: Split of each row, shape (N,); None without splits.
        std: Standard deviations over replicates, shape (N, K), or None.
        replicates: Replicates of some targets, shape (N, R) each.
    """

    tokens: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    names: Sequence[str]
    labels: npt.NDArray[np.str_] | None = None
    std: npt.NDArray[np.float32] | None = None
    replicates: Mapping[str, npt.NDArray[np.float32]] = {}


def survey_splits(splits: Splits) -> Survey:
    """Describe a data set that a reader has read.

    Args:
        splits: The data set.

    Returns:
        Facts and findings.
    """
    parts = [part for _, part in splits.items()]
    labels = np.repeat([name for name, _ in splits.items()], [len(part) for part in parts])
    stds = [part.target_std for part in parts if part.target_std is not None]
    return survey_arrays(
        Measured(
            np.concatenate([part.tokens for part in parts]),
            np.concatenate([part.targets for part in parts]),
            splits.target_names,
            labels,
            np.concatenate(stds) if stds else None,
        )
    )


def survey_arrays(data: Measured) -> Survey:
    """Describe sequences and targets.

    Args:
        data: What was read.

    Returns:
        Facts and findings.
    """
    findings: list[Finding] = []
    facts: dict[str, Any] = {"rows": len(data.tokens), "length": int(data.tokens.shape[1])}
    parts = _parts(data)
    facts["splits"] = {name: len(rows) for name, rows in parts.items()}
    facts["sequences"] = _sequences(data.tokens, parts, findings)
    if len(parts) > 1:
        facts["across splits"] = _across(data.tokens, parts, findings)
    facts["targets"] = {
        name: target_facts(name, data.targets[:, index], parts, findings) for index, name in enumerate(data.names)
    }
    replicates = replicate_facts(data.names, data.targets, data.std, data.replicates)
    if replicates:
        facts["replicates"] = replicates
    return Survey(facts, sorted(findings, key=lambda finding: finding.kind != "problem"))


def _parts(data: Measured) -> dict[str, npt.NDArray[np.intp]]:
    if data.labels is None:
        return {"all": np.arange(len(data.tokens))}
    present = list(dict.fromkeys(data.labels.tolist()))
    names = [name for name in ("train", "valid", "test", "calibration") if name in present]
    return {name: np.flatnonzero(data.labels == name) for name in names}


def _sequences(
    tokens: npt.NDArray[np.uint8], parts: dict[str, npt.NDArray[np.intp]], findings: list[Finding]
) -> dict[str, Any]:
    counts = letter_counts(tokens)
    known = counts[:4].sum()
    gc = {name: _gc(tokens[rows]) for name, rows in parts.items()}
    repeats = {name: len(rows) - len(distinct(strandless(tokens[rows]))) for name, rows in parts.items()}
    for name, count in repeats.items():
        if count:
            findings.append(
                Finding(
                    "note",
                    f"{name}: {count} rows repeat the sequence of an earlier row, on either strand. Average "
                    "their values, or keep them if they are independent measurements.",
                )
            )
    if counts[4]:
        findings.append(
            Finding(
                "note", f"{counts[4]} letters are N ({counts[4] / tokens.size:.2g} of all); a model sees zeros there."
            )
        )
    for (first, a), (second, b) in itertools.combinations(gc.items(), 2):
        if abs(a - b) > _GC_SHIFT:
            findings.append(Finding("note", f"GC content differs: {a:.3f} in {first}, {b:.3f} in {second}."))
    return {
        "letters": {letter: int(count) for letter, count in zip(LETTERS, counts, strict=True)},
        "gc": float(counts[1:3].sum() / known) if known else float("nan"),
        "gc by split": gc,
        "repeated rows": repeats,
    }


def _gc(tokens: npt.NDArray[np.uint8]) -> float:
    counts = letter_counts(tokens)
    return float(counts[1:3].sum() / max(1, counts[:4].sum()))


def _across(
    tokens: npt.NDArray[np.uint8], parts: dict[str, npt.NDArray[np.intp]], findings: list[Finding]
) -> dict[str, Any]:
    sequences = {name: tokens[rows] for name, rows in parts.items()}
    leaks = find_leaks(sequences)
    for leak in leaks:
        findings.append(
            Finding(
                "problem",
                f"{leak}. The {leak.second} scores will be too good; drop them, or split anew with "
                "degu data split FILE --by similarity.",
            )
        )
    length = tokens.shape[1]
    k = min(40, max(1, length * 2 // 3))
    stretches = shared_stretches(sequences, k) if length >= 30 else {}
    for (first, second), count in stretches.items():
        if count > sum(leak.same + leak.reverse for leak in leaks if (leak.first, leak.second) == (first, second)):
            findings.append(
                Finding(
                    "note",
                    f"at least {count} of {len(parts[second])} {second} sequences share {k} letters with a "
                    f"{first} sequence, on either strand: overlapping tiles, variants of one element or repeats.",
                )
            )
    return {
        "leaks": [leak._asdict() for leak in leaks],
        "shared stretch": k,
        "sharing a stretch": {f"{second} with {first}": count for (first, second), count in stretches.items()},
    }
