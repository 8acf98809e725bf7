"""What the measurements of a data set are like: distributions, missing values, replicates."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from degu.metrics.ceiling import noise_ceiling

_SMALL = 10
_TIED = 0.2
_SHIFT = 0.5
_SKEW = 3.0


class Finding(NamedTuple):
    """Something to mend or to know.

    Attributes:
        kind: ``"problem"`` or ``"note"``.
        text: What it is, where, and what to do.
    """

    kind: str
    text: str


def target_facts(
    name: str, values: npt.NDArray[np.float32], parts: dict[str, npt.NDArray[np.intp]], findings: list[Finding]
) -> dict[str, Any]:
    """Describe one target.

    Args:
        name: Its name.
        values: Shape (N,), NaN where not measured.
        parts: Rows by split.
        findings: What is found is added here.

    Returns:
        Plain values, in the unit of the target.
    """
    known = values[~np.isnan(values)].astype(np.float64)
    facts: dict[str, Any] = {"measured": len(known), "missing": len(values) - len(known)}
    for split, rows in parts.items():
        count = int((~np.isnan(values[rows])).sum())
        if count < 2:
            findings.append(
                Finding(
                    "problem",
                    f"target {name!r}: {count} measured row(s) in {split}; nothing can be correlated "
                    "there. Leave the target out, or split anew.",
                )
            )
        elif count < _SMALL:
            findings.append(Finding("note", f"target {name!r}: only {count} measured rows in {split}."))
    if not len(known):
        return facts
    spread = float(known.std())
    quantiles = np.quantile(known, [0, 0.05, 0.5, 0.95, 1])
    facts |= {"mean": float(known.mean()), "std": spread}
    facts |= dict(zip(("min", "p5", "median", "p95", "max"), map(float, quantiles), strict=True))
    if len(known) > 1 and known.min() == known.max():
        findings.append(
            Finding(
                "problem",
                f"target {name!r} is constant ({known[0]:g} in all {len(known)} measured rows). Leave it "
                "out, or check the column.",
            )
        )
        return facts
    _distribution(name, known, spread, findings)
    means = {split: float(np.nanmean(values[rows])) for split, rows in parts.items() if (~np.isnan(values[rows])).any()}
    facts["mean by split"] = means
    for (first, a), (second, b) in itertools.combinations(means.items(), 2):
        if abs(a - b) > _SHIFT * spread:
            findings.append(
                Finding(
                    "note",
                    f"target {name!r}: the mean is {a:.3g} in {first} and {b:.3g} in {second}, "
                    f"{abs(a - b) / spread:.1f} standard deviations apart.",
                )
            )
    return facts


def _distribution(name: str, known: npt.NDArray[np.float64], spread: float, findings: list[Finding]) -> None:
    values, counts = np.unique(known, return_counts=True)
    if len(values) == 2:
        findings.append(
            Finding(
                "note",
                f"target {name!r} has two values, {values[0]:g} and {values[1]:g}: "
                "evaluation=classification and loss=binary_crossentropy suit it if they are 0 and 1.",
            )
        )
    elif counts.max() > _TIED * len(known) and counts.max() > 5:
        findings.append(
            Finding(
                "note",
                f"target {name!r}: {counts.max()} of {len(known)} rows are exactly "
                f"{values[counts.argmax()]:g}: a floor, a ceiling or counts. Errors there are not Gaussian.",
            )
        )
    skew = float(np.mean(((known - known.mean()) / spread) ** 3))
    if abs(skew) > _SKEW and len(known) > _SMALL:
        findings.append(
            Finding(
                "note",
                f"target {name!r} is skewed ({skew:.1f}): a few large values will rule the squared error. A "
                "logarithm usually helps.",
            )
        )


def replicate_facts(
    names: Sequence[str],
    targets: npt.NDArray[np.float32],
    std: npt.NDArray[np.float32] | None,
    replicates: Mapping[str, npt.NDArray[np.float32]],
) -> dict[str, Any]:
    """Describe how well replicates agree, and the best that a model of their mean can reach.

    Args:
        names: K target names.
        targets: Shape (N, K).
        std: Standard deviations over replicates, shape (N, K), or None.
        replicates: Replicates of some targets, shape (N, R) each.

    Returns:
        Plain values by target, without targets that nothing is known about.
    """
    found: dict[str, Any] = {}
    for index, name in enumerate(names):
        entry: dict[str, Any] = {}
        columns = replicates.get(name)
        count = None if columns is None else columns.shape[1]
        if columns is not None:
            pairs = [_pearson(columns[:, a], columns[:, b]) for a, b in itertools.combinations(range(count or 0), 2)]
            entry["pairwise pearson r"] = [pair for pair in pairs if pair is not None]
        if std is not None:
            ceiling = noise_ceiling(targets[:, index], std[:, index], count)
            if ceiling is not None:
                entry["noise ceiling"] = ceiling._asdict()
        if entry:
            found[name] = entry
    return found


def _pearson(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float | None:
    rows = np.isfinite(a) & np.isfinite(b)
    x, y = a[rows].astype(np.float64), b[rows].astype(np.float64)
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
