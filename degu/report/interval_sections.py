"""Sections on intervals: coverage, width and conformal intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from degu.report.content import Note, Part, Picture, Section, Table, absent
from degu.report.curves import NO_CURVES, in_words, is_complete, rows_in_words
from degu.report.study import Study
from degu.report.uncertainty_figures import coverage_figure
from degu.report.words import number, percent

_LEVEL = 0.9
_TABLE_LEVELS = (0.5, 0.8, 0.9, 0.95)

# Two standard errors of a binomial part.
_CLEAR = 2.0


def coverage_section(study: Study) -> Section:
    """Show coverage and width of intervals of every kind, and say whether epistemic alone covers too little."""
    name, title = "coverage", "Coverage and width of intervals"
    found: dict[str, dict[str, dict[str, Mapping]]] = {}
    for row, kinds in (study.curves.get("coverage") or {}).items():
        for kind, targets in kinds.items():
            for target, curve in targets.items():
                if is_complete(curve, ("level", "coverage")):
                    found.setdefault(row, {}).setdefault(target, {})[kind] = curve
    if not found:
        return absent(name, title, NO_CURVES)
    parts: list[Part] = [Note(text) for row, targets in found.items() if (text := _epistemic(study, row, targets))]
    for row_index, (row, targets) in enumerate(found.items()):
        for index, (target, kinds) in enumerate(targets.items()):
            caption = f"{target}, {row}: coverage by confidence level of {', '.join(map(in_words, kinds))} intervals."
            figure = coverage_figure(target, row, kinds)
            parts.append(Picture(f"coverage_{row_index}_{index}", figure, caption))
    parts.append(_widths(found))
    reading = (
        "An interval of level 90 % should hold 90 % of the measurements. Of two kinds that do, the narrower is better. "
        "Epistemic uncertainty is what the models do not know, aleatoric the noise of the measurement, total is both."
    )
    return Section(name, title, reading, parts)


def _epistemic(study: Study, row: str, targets: Mapping[str, Mapping[str, Mapping]]) -> str:
    """Say how epistemic intervals cover at the level nearest to 90 %; empty where there are none."""
    curves = [kinds["epistemic"] for kinds in targets.values() if "epistemic" in kinds]
    if not curves:
        return ""
    places = [int(np.argmin(np.abs(np.array(curve["level"]) - _LEVEL))) for curve in curves]
    levels = [curve["level"][place] for curve, place in zip(curves, places, strict=True)]
    covered = [curve["coverage"][place] for curve, place in zip(curves, places, strict=True)]
    rows = (study.curves.get("rows") or {}).get("evaluated")
    count = rows or (study.results.get("data") or {}).get("test_rows") or 1
    error = _CLEAR * np.sqrt(_LEVEL * (1 - _LEVEL) / count)
    text = (
        f"Of the {row}, epistemic intervals of nominal {percent(levels[0])} hold {_range(covered)} of the measurements"
    )
    if all(part < level - error for part, level in zip(covered, levels, strict=True)):
        return (
            f"{text}. Epistemic uncertainty alone under-covers: it leaves out the noise of the measurement. Do not "
            "use it as a prediction interval."
        )
    return f"{text}."


def _range(parts: Sequence[float]) -> str:
    low, high = percent(min(parts)), percent(max(parts))
    return low if low == high else f"{low} to {high} (by target)"


def _widths(found: Mapping[str, Mapping[str, Mapping[str, Mapping]]]) -> Table:
    curves = [
        (f"{target}: {row}, {in_words(kind)}", curve)
        for row, targets in found.items()
        for target, kinds in targets.items()
        for kind, curve in kinds.items()
    ]
    known = {float(level) for _, curve in curves for level in curve["level"]}
    levels = sorted(known & set(_TABLE_LEVELS) or known)
    rows = []
    for label, curve in curves:
        widths = curve.get("width") or [None] * len(curve["level"])
        cells = {
            float(level): f"{percent(part)} ({number(width)})"
            for level, part, width in zip(curve["level"], curve["coverage"], widths, strict=False)
        }
        rows.append([label, *(cells.get(level, "–") for level in levels)])
    head = ["target: model, kind", *(f"level {percent(level)}" for level in levels)]
    return Table("Coverage, and in brackets the mean width in the unit of the target", head, rows)


def conformal_section(study: Study) -> Section:
    """Show the coverage of calibrated intervals, of all sequences and by bin of predicted activity."""
    name, title = "conformal", "Calibrated and conformal intervals"
    rows = [row for row in study.curves.get("conformal") or () if row.get("coverage") is not None]
    whole = [row for row in rows if row.get("bin") is None]
    binned = [row for row in rows if row.get("bin") is not None and row["level"] == _LEVEL]
    if not whole:
        return absent(name, title, "The study has no calibrated intervals in evaluation/curves.json.")
    caption = "Coverage on the evaluated sequences (95 % confidence interval), and the mean width"
    parts = [_pivot(caption, whole, "level", lambda level: f"level {percent(level)}")]
    if binned:
        caption = f"The same at level {percent(_LEVEL)} by bin of predicted activity, weakest first"
        parts.append(_pivot(caption, binned, "bin", lambda bin_: f"bin {bin_}"))
    reading = (
        "These intervals are widened or narrowed on sequences that nothing else has used. Conformal ones hold the "
        "stated part of new measurements of the same kind, whatever the model; the other methods trust the form of the "
        "predicted distribution. Bins show whether that is so for weak and for strong sequences."
    )
    return Section(name, title, f"{reading} {rows_in_words(study)}".strip(), parts)


def _pivot(caption: str, rows: Sequence[Mapping[str, Any]], across: str, heading: Callable[[Any], str]) -> Table:
    """Return coverage and width with one column for each value of `across`."""
    columns = sorted({row[across] for row in rows})
    lines: dict[str, dict[Any, str]] = {}
    for row in sorted(rows, key=lambda row: (str(row.get("target")), str(row.get("row")))):
        label = f"{row.get('target', '')}: {row.get('row', '')}, {in_words(str(row.get('method', '')))}"
        low, high = row.get("coverage_low"), row.get("coverage_high")
        bounds = "" if low is None or high is None else f" ({_points(low)} to {_points(high)})"
        lines.setdefault(label, {})[row[across]] = f"{_points(row['coverage'])} %{bounds}, {number(row.get('width'))}"
    cells = [[label, *(line.get(column, "–") for column in columns)] for label, line in lines.items()]
    return Table(caption, ["target: model, method", *map(heading, columns)], cells)


def _points(part: float) -> str:
    return f"{100 * part:.1f}"
