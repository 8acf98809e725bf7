"""Recorded studies as text, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from degu.report.table import aligned
from degu.tracking.queries import StudyDetail, StudySummary


def studies_table(studies: Sequence[StudySummary]) -> str:
    """Return one line a study or sweep."""
    if not studies:
        return "No studies yet: run one with `degu run`."
    lines = [["run", "name", "status", "started (UTC)", "minutes", "holds", "objective", "data", "device"]]
    for study in studies:
        lines.append(
            [
                study.run_id[:12],
                study.name,
                study.status,
                f"{study.started:%Y-%m-%d %H:%M}",
                "" if study.duration is None else f"{study.duration / 60:.1f}",
                _holds(study),
                "" if study.objective is None else f"{study.objective:.4f}",
                study.data,
                study.device,
            ]
        )
    return "\n".join(aligned(lines))


def _holds(summary: StudySummary) -> str:
    """Return what a run's children are, in words."""
    if summary.kind != "sweep":
        return f"{summary.members} members"
    states = {"FAILED": "failed", "KILLED": "interrupted", "RUNNING": "running", "SCHEDULED": "waiting"}
    notes = [f"{summary.studies[state]} {word}" for state, word in states.items() if summary.studies.get(state)]
    return ", ".join([f"{sum(summary.studies.values())} studies", *notes])


def study_page(study: StudyDetail) -> str:
    """Return everything about one study, section by section."""
    sections = [
        studies_table([study.summary]),
        _section(
            "studies" if study.summary.kind == "sweep" else "members and student",
            [
                [child.name, child.status, child.run_id, "" if child.objective is None else f"{child.objective:.4f}"]
                for child in study.children
            ],
        ),
        _section("metrics", [[name, f"{value:.6g}"] for name, value in sorted(study.metrics.items())]),
        _section("config", [[name, value] for name, value in sorted(study.params.items())]),
        _section("tags", [[name, value] for name, value in sorted(study.tags.items())]),
        _section("artifacts", [[path] for path in study.artifacts]),
    ]
    return "\n\n".join(sections)


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in aligned(rows))])
