"""Reading of the curves that an evaluation wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from degu.report.study import Study
from degu.report.words import METRICS

NO_CURVES = "The study has no such curves in evaluation/curves.json."


def curves_by_target(rows: Any, needed: Sequence[str]) -> dict[str, dict[str, Mapping]]:
    """Turn curves by row and target into curves by target and row; what is incomplete is left out."""
    found: dict[str, dict[str, Mapping]] = {}
    for row, targets in (rows or {}).items():
        for target, curve in targets.items():
            if is_complete(curve, needed):
                found.setdefault(target, {})[row] = curve
    return found


def is_complete(curve: Any, needed: Sequence[str]) -> bool:
    """Tell whether a curve has all the lists it needs."""
    return isinstance(curve, Mapping) and all(curve.get(key) for key in needed)


def rows_in_words(study: Study) -> str:
    """Say on how many sequences uncertainties were calibrated and evaluated."""
    rows = study.curves.get("rows") or {}
    if not rows.get("calibrated"):
        return ""
    return (
        f"Uncertainties were calibrated on {rows['calibrated']} sequences and are shown for {rows.get('evaluated', 0)} "
        "others."
    )


def in_words(name: str) -> str:
    """Return a key for readers."""
    return METRICS.get(name, name.replace("_", " "))
