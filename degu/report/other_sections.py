"""Sections on shifted sequences and explanations, and on where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from degu.report.arrays import read_logos
from degu.report.content import Listing, Note, Part, Section, StoredPicture, Table, absent
from degu.report.logo_pictures import logo_pictures
from degu.report.scores import AVERAGE
from degu.report.study import Study
from degu.report.words import number

MOST_LOGOS = 6
_MOST_LOGO_BYTES = 200_000
_UNCHANGED = "unshifted"
_CHANCE = 0.5
_LABELS = {
    "epistemic_auroc": "AUROC of epistemic",
    "epistemic_std_ratio": "epistemic, times unshifted",
    "mse": "MSE to ensemble",
    "normalized_mse": "normalised MSE to ensemble",
    "pearson_r": "Pearson r to ensemble",
    "epistemic_pearson_r": "Pearson r of epistemic",
    "epistemic_spearman_rho": "Spearman rho of epistemic",
    "measured_mse": "MSE to measured",
    "measured_pearson_r": "Pearson r to measured",
    "measured_spearman_rho": "Spearman rho to measured",
    "rmse": "RMSE of maps",
    "rmse_sd": "its sd",
    "pearson": "Pearson r of maps",
    "pearson_sd": "its sd",
    "cosine": "cosine of maps",
    "cosine_sd": "its sd",
}


def shift_section(study: Study) -> Section:
    """Show what happens on sequences unlike those of training."""
    name, title, rows = "shift", "Sequences unlike the training data", study.curves.get("shift")
    if not rows:
        return absent(name, title, "The study has no shifted test sets in evaluation/curves.json.")
    reading = (
        "The test sequences are changed in ways that destroy what the models have learnt. A trustworthy model becomes "
        "less sure: the AUROC is the probability that a changed sequence has a larger epistemic uncertainty than an "
        "unchanged one, 0.5 is chance. The student is compared with its ensemble; a normalised MSE of 1 is no better "
        "than predicting one value for all."
    )
    notes: list[Part] = [Note(text)] if (text := _unnoticed(rows)) else []
    return Section(name, title, reading, [*notes, *tables_by_target(rows, ("set", "row"))])


def _unnoticed(rows: Sequence[Mapping[str, Any]]) -> str:
    """Name the sets on which no target's uncertainty of a model is above that of unchanged sequences."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.get("epistemic_auroc") is not None and row.get("target") != AVERAGE and row.get("set") != _UNCHANGED:
            sets = found.setdefault(str(row.get("row")), {})
            sets.setdefault(str(row.get("set")), []).append(row["epistemic_auroc"])
    texts = []
    for model, sets in found.items():
        missed = [_words(name) for name, areas in sets.items() if max(areas) <= _CHANCE]
        if missed:
            texts.append(f"{model}: {', '.join(missed)}")
    if not texts:
        return ""
    return f"The epistemic uncertainty does not notice these changes (AUROC at or below 0.5): {'; '.join(texts)}."


def attribution_section(study: Study) -> Section:
    """Show how consistent explanations are, and logos where the study holds some."""
    name, title = "attribution", "Which letters matter, and how sure that is"
    rows = study.curves.get("consistency")
    parts: list[Part] = [*tables_by_target(rows, ("row",))] if rows else []
    parts += logo_pictures(read_logos(study.folder))
    parts += [
        StoredPicture(
            path.read_bytes(), f"Letters as high as their contribution to the prediction: {_words(path.stem)}."
        )
        for path in _logos(study.folder)
    ]
    if not parts:
        return absent(name, title, "The study has no attribution maps; `degu attribute` makes them.")
    reading = (
        "Attribution maps say how much each letter adds to a prediction. Maps of models trained alike differ; "
        "the smaller the difference to the ensemble's mean map, the more an explanation can be trusted. A single model "
        "is part of that mean, which favours it; single left out compares it with the mean of the others."
    )
    return Section(name, title, reading, parts)


def _logos(folder: Path) -> list[Path]:
    """Return the logos that `degu attribute` wrote; those of the study itself are drawn anew."""
    found = sorted(
        path
        for path in folder.rglob("*logo*.png")
        if path.parent != folder / "figures" and path.stat().st_size <= _MOST_LOGO_BYTES
    )
    return found[:MOST_LOGOS]


def record_section(study: Study) -> Section:
    """Show the config, the provenance, the timings, and the command that repeats the study."""
    parts: list[Part] = []
    if command := study.provenance.get("command"):
        parts.append(Listing("Command that repeats this study", command))
    facts = [[key, str(value)] for key, value in study.provenance.items() if key != "command"]
    if facts:
        parts.append(Table("Code, versions, machine and data", ["fact", "value"], facts))
    if study.timings:
        rows = [[stage, f"{seconds:.1f}"] for stage, seconds in study.timings.items()]
        rows.append(["all", f"{sum(study.timings.values()):.1f}"])
        parts.append(Table("Time", ["stage", "seconds"], rows))
    if study.config_text:
        parts.append(Listing("The whole config", study.config_text, folded=True))
    if not parts:
        return absent("record", "Where these numbers come from", "The study has no provenance, timings or config.")
    reading = (
        "The same command on the same data and versions gives the same numbers; the digest tells whether data are "
        "the same."
    )
    return Section("record", "Where these numbers come from", reading, parts)


def tables_by_target(rows: Sequence[Mapping[str, Any]], heading: Sequence[str]) -> list[Table]:
    """Return one table a target of all columns in the order of their first appearance.

    Args:
        rows: Values by name, `target` among them.
        heading: The columns that make the heading of a row.
    """
    columns = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in ("target", *heading)]
    tables = []
    for target in dict.fromkeys(str(row.get("target", "")) for row in rows):
        cells = [
            [": ".join(_words(str(row.get(key, ""))) for key in heading), *(_cell(row.get(key)) for key in columns)]
            for row in rows
            if str(row.get("target", "")) == target
        ]
        caption = "Average over targets" if target == AVERAGE else target
        head = [": ".join(map(_words, heading)), *(_LABELS.get(key, _words(key)) for key in columns)]
        tables.append(Table(caption, head, cells))
    return tables


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return number(value) if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
