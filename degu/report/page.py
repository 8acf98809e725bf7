"""The report of a study: one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from degu import __version__
from degu.files import write_text
from degu.report.activity_sections import (
    comparison_picture,
    comparison_section,
    prediction_section,
    training_section,
)
from degu.report.ceiling import noise_ceilings
from degu.report.content import Picture, Section, StoredPicture
from degu.report.drawing import inline, save
from degu.report.interval_sections import conformal_section, coverage_section
from degu.report.other_sections import attribution_section, record_section, shift_section
from degu.report.scores import compare_scores
from degu.report.study import Study, read_study
from degu.report.uncertainty_sections import calibration_section, quality_section, sparsification_section
from degu.report.words import result_sentence

REPORT = "report.html"

_MOST_SVG_CHARACTERS = 2_000_000


def write_report(folder: Path, output: Path | None = None) -> Path:
    """Write the report of a study, and its figures as PNG and SVG into the study's `figures`.

    Args:
        folder: Output folder of a study. What it lacks is left out of the report, which says so.
        output: Where to write the page; `report.html` in the folder if None.

    Returns:
        Path of the page.

    Raises:
        DataError: When there is no study in the folder, or a file of it cannot be read.
    """
    study = read_study(folder)
    comparison, ceilings = compare_scores(study), noise_ceilings(study)
    sections = [
        comparison_section(study, comparison, ceilings),
        prediction_section(study),
        training_section(study),
        quality_section(study),
        calibration_section(study),
        coverage_section(study),
        conformal_section(study),
        sparsification_section(study),
        shift_section(study),
        attribution_section(study),
        record_section(study),
    ]
    drawings = _Drawings(folder / "figures")
    if overview := comparison_picture(study, comparison, ceilings):
        save(overview.figure, drawings.folder, overview.name)
    text = _render(study, sections, result_sentence(study, comparison.gains), drawings)
    path = output or folder / REPORT
    write_text(path, text)
    return path


class _Drawn(NamedTuple):
    """A figure as the page holds it: SVG, or a PNG in base64, or where the page has enough of them the file alone."""

    svg: str = ""
    png: str = ""
    file: str = ""


class _Drawings:
    """Writes the figures of a report to files and turns them into what a page holds.

    Args:
        folder: Folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._characters = 0

    def __call__(self, picture: Picture | StoredPicture) -> _Drawn:
        """Draw a figure."""
        if isinstance(picture, StoredPicture):
            return _Drawn(png=base64.b64encode(picture.data).decode("ascii"))
        drawn = save(picture.figure, self.folder, picture.name)
        if picture.wide:
            return _Drawn(png=base64.b64encode((self.folder / f"{picture.name}.png").read_bytes()).decode("ascii"))
        svg = inline(drawn, picture.name)
        if self._characters + len(svg) > _MOST_SVG_CHARACTERS:
            return _Drawn(file=f"figures/{picture.name}.svg")
        self._characters += len(svg)
        return _Drawn(svg=svg)


def _render(study: Study, sections: Sequence[Section], result: str, drawings: _Drawings) -> str:
    environment = Environment(
        loader=PackageLoader("degu.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        name=study.name,
        facts=_facts(study),
        result=result,
        sections=sections,
        draw=drawings,
        version=__version__,
    )


def _facts(study: Study) -> list[str]:
    """Return date, data and size of a study in a few words."""
    data = study.results.get("data") or {}
    started = study.provenance.get("started", "")
    facts = [started.replace("T", " ").replace("+00:00", " UTC"), str(data.get("source", ""))]
    rows = [f"{data[f'{split}_rows']} {split}" for split in ("train", "valid", "test") if f"{split}_rows" in data]
    if rows:
        facts.append(f"{', '.join(rows)} sequences")
    facts.append(f"{study.num_members} members and a student")
    if "seed" in study.results:
        facts.append(f"seed {study.results['seed']}")
    return [fact for fact in facts if fact]
