"""Sections on uncertainty: scores, calibration, sparsification."""

from __future__ import annotations

from collections.abc import Mapping

from degu.metrics import HIGHER_IS_BETTER
from degu.report.content import Picture, Section, Table, absent
from degu.report.curves import NO_CURVES, curves_by_target, in_words, rows_in_words
from degu.report.scores import Score
from degu.report.study import Study
from degu.report.uncertainty_figures import calibration_figure, sparsification_figure
from degu.report.words import KINDS, metric_label, with_interval

_SHOWN = ("nll", "crps", "miscalibration_area", "ence", "uncertainty_error_spearman", "ause")
_ROWS = {"ensemble": "ensemble", "student": "student", "student_minus_ensemble": "student minus ensemble"}


def quality_section(study: Study) -> Section:
    """Show the scores of each kind of uncertainty, and whether the student's are worse than the ensemble's."""
    name, title = "uncertainty", "How good the uncertainties are"
    tables = []
    for target in study.targets:
        rows = [
            row
            for kind, label in KINDS.items()
            for metric in _SHOWN
            if (row := _quality_row(study, kind, metric, target, label)) is not None
        ]
        if rows:
            tables.append(Table(target, ["kind: metric", *_ROWS.values(), "student is"], rows))
    if not tables:
        return absent(name, title, "results.json holds no metrics of the uncertainties of the test split.")
    reading = (
        "NLL and CRPS judge mean and uncertainty together, lower is better. Miscalibration area and ENCE are 0 for "
        "uncertainties of the right size. The Spearman correlation (1 is best) and AUSE (0 is best) say whether large "
        "errors are foreseen. In brackets stand 95 % confidence intervals; those of the difference are of pairs."
    )
    return Section(name, title, reading, tables)


def _quality_row(study: Study, kind: str, metric: str, target: str, label: str) -> list[str] | None:
    prefix = f"test/uncertainty_{kind}"
    scores = {row: _score(study.metrics, prefix, metric, f"{row}/{target}") for row in _ROWS}
    if scores["ensemble"] is None and scores["student"] is None:
        return None
    cells = ["–" if score is None else with_interval(score) for score in scores.values()]
    return [f"{label}: {metric_label(metric)}", *cells, _verdict(metric, scores["student_minus_ensemble"])]


def _verdict(metric: str, difference: Score | None) -> str:
    """Say whether a difference is clearly to the better or to the worse."""
    if difference is None or difference.low is None or difference.high is None:
        return "–"
    if difference.low <= 0 <= difference.high:
        return "not clearly different"
    return "better" if (difference.value > 0) == HIGHER_IS_BETTER.get(metric, True) else "worse"


def _score(metrics: Mapping[str, float], prefix: str, metric: str, ending: str) -> Score | None:
    value = metrics.get(f"{prefix}/{metric}/{ending}")
    if value is None:
        return None
    return Score(value, *(metrics.get(f"{prefix}/{metric}{bound}/{ending}") for bound in ("_low", "_high")))


def calibration_section(study: Study) -> Section:
    """Show the calibration curves, before and after calibration where there was one."""
    name, title = "calibration", "Calibration"
    kinds = study.curves.get("calibration_kind") or {}
    stages = {"calibration_before": "as predicted", "calibration": ""}
    found: dict[str, dict[str, dict[str, Mapping]]] = {}
    for key, stage in stages.items():
        for target, rows in curves_by_target(study.curves.get(key), ("expected", "observed")).items():
            for row, curve in rows.items():
                label = stage or in_words(str(kinds.get(row, "calibration")))
                found.setdefault(target, {}).setdefault(row, {})[label] = curve
    if not found:
        return absent(name, title, NO_CURVES)
    parts = [
        Picture(
            f"calibration_{index}_{row_index}",
            calibration_figure(target, row, curves),
            f"{target}, {row}: part of the measurements inside central intervals ({' and '.join(curves)}) against the "
            "part that should be. Shaded: where 95 % of the curves of a calibrated model would lie.",
        )
        for index, (target, rows) in enumerate(found.items())
        for row_index, (row, curves) in enumerate(rows.items())
    ]
    reading = (
        "On the dashed line, intervals hold as many measurements as they promise. A curve below it is overconfident, a "
        "curve above it too careful; inside the shaded band the difference may be chance."
    )
    return Section(name, title, f"{reading} {rows_in_words(study)}".strip(), parts)


def sparsification_section(study: Study) -> Section:
    """Show the sparsification curves."""
    name, title = "sparsification", "Does uncertainty foresee error"
    by_target = curves_by_target(study.curves.get("sparsification"), ("removed", "error"))
    if not by_target:
        return absent(name, title, NO_CURVES)
    parts = [
        Picture(
            f"sparsification_{index}",
            sparsification_figure(target, curves),
            f"{target}: error of the sequences that remain when those with the largest uncertainty are removed; "
            "dotted the best order, dashed a random one.",
        )
        for index, (target, curves) in enumerate(by_target.items())
    ]
    reading = (
        "The sequences that a model is least sure of are removed first. A curve that falls means that uncertainty "
        "foresees error; the best order would remove the largest errors first, a random order gains nothing."
    )
    return Section(name, title, reading, parts)
