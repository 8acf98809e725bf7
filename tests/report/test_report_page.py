import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from degu.errors import DataError
from degu.report.arrays import read_logos
from degu.report.logo_pictures import logo_pictures, richest_stretch
from degu.report.page import write_report

VOID = {"meta", "img", "br", "use", "path", "rect"}


class Page(HTMLParser):
    """Checks that every element is closed in order, and collects ids, references and tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.resources, self.anchors, self.tables = [], [], [], [], []
        self.text, self.scopes = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        self.resources += [found[key] for key in ("src", "href", "srcset", "data", "poster") if key in found]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            if tag == "th":
                self.scopes.append(found.get("scope"))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open[-1:]):
            self.tables[-1][-1][-1] += data

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture
def draw_nothing(monkeypatch):
    """Leave out the drawing, which takes most of the time of a report."""
    monkeypatch.setattr("degu.report.page.save", lambda figure, folder, name: "<svg></svg>")


def read(folder):
    return Page(write_report(folder).read_text())


def test_a_page_is_well_formed_and_asks_for_nothing(make_study):
    folder = make_study()
    text = write_report(folder).read_text()
    parsed = Page(text)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.resources
    assert all(re.match(r"#|data:image/png", reference) for reference in parsed.resources)
    assert {reference[1:] for reference in parsed.resources if reference[0] == "#"} <= set(parsed.ids)
    assert set(re.findall(r"url\((#?[^)]*)\)", text)) <= {f"#{name}" for name in parsed.ids}
    assert not re.search(r"https?://|@import|<script|<link|@font-face", text)
    assert '<html lang="en">' in text
    assert set(parsed.scopes) == {"row", "col"}
    assert text.count("<figure") == text.count("</figcaption>") >= 10
    assert re.findall(r'<li id="(\w+)">', text) == ["uncertainty"]
    assert len(text) < 3_000_000


@pytest.mark.usefixtures("draw_nothing")
@pytest.mark.parametrize(("names", "binary"), [(("a", "b/c"), False), (("only",), False), (("a", "b"), True)])
def test_numbers_of_the_comparison_are_those_of_the_results(make_study, names, binary):
    folder = make_study(names, binary=binary)
    metrics = json.loads((folder / "results.json").read_text())["metrics"]
    family, shown = (
        ("classification", ["auroc", "average_precision", "f1", "accuracy"])
        if binary
        else ("regression", ["mse", "pearson_r", "spearman_rho"])
    )
    tables = read(folder).tables
    for table, target in zip(tables, (*names, *(["mean"] if len(names) > 1 else [])), strict=False):
        for place, metric in enumerate(shown, start=1):
            value = {row: metrics[f"test/{family}/{metric}/{row}/{target}"] for row in ("ensemble", "student")}
            assert table[1][place] == "{:.4f} ± {:.4f}".format(
                *(metrics[f"test/{family}/{metric}/{row}/{target}"] for row in ("single_mean", "single_sd"))
            )
            for line, row in ((2, "ensemble"), (3, "student")):
                found = [float(number) for number in re.findall(r"-?\d+\.\d+", table[line][place])]
                assert found[0] == round(value[row], 4)
                assert found[1] <= found[0] <= found[2]
    assert "noise ceiling" not in str(tables) if binary else "noise ceiling" in str(tables)


@pytest.mark.usefixtures("draw_nothing")
def test_what_fails_is_said_in_words(make_study):
    words = read(make_study()).words
    assert "Of the ensemble, epistemic intervals of nominal 90 % hold 41 % of the measurements" in words
    assert "Epistemic uncertainty alone under-covers" in words
    assert "not notice these changes (AUROC at or below 0.5): ensemble: shuffled; student: shuffled." in words


def test_names_are_escaped(make_study):
    evil = ("<script>alert(1)</script>", '"><img src=x onerror=y> $x_1^2$')
    folder = make_study(evil, name="<b>bold</b> & co")
    text = write_report(folder).read_text()
    parsed = Page(text)
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert evil[0] in parsed.words
    assert "<b>bold</b> & co" in parsed.words
    assert "0123abcd" in parsed.words
    assert "degu run seed=0 'data.path=a b.tsv'" in parsed.words


@pytest.mark.usefixtures("draw_nothing")
@pytest.mark.parametrize(
    ("missing", "sign"),
    [
        ("evaluation/curves.json", "no such curves"),
        ("evaluation/test.npz", "no evaluation/test.npz"),
        ("histories/member-00.json", "student"),
        ("provenance.json", "1.5"),
        ("timings.json", "0123abcd"),
        ("config.yaml", "study"),
    ],
)
def test_missing_parts_are_left_out(make_study, missing, sign):
    folder = make_study()
    (folder / missing).unlink()
    assert sign in read(folder).words


@pytest.mark.usefixtures("draw_nothing")
def test_a_study_of_results_alone_has_a_report_without_intervals(make_study):
    folder = make_study()
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "results.json":
            path.unlink()
    parsed = read(folder)
    assert "without a confidence interval" in parsed.words
    assert "(" not in parsed.tables[0][2][1]
    assert "Not in this report" in parsed.words


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "folder of a finished study"), ("{", "expected JSON"), ("{}", "expected metrics, members, received no")],
)
def test_folders_without_a_study_are_refused(make_study, content, message):
    folder = make_study()
    (folder / "results.json").unlink()
    if content is not None:
        (folder / "results.json").write_text(content)
    with pytest.raises(DataError, match=message):
        write_report(folder)


def test_figures_are_files_too_and_equal_studies_have_equal_pages(make_study):
    folder = make_study(("a",), with_logos=True)
    first = write_report(folder).read_bytes()
    assert first.count(b"data:image/png;base64,") == 2, "logos"
    names = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert {"comparison", "logo_0_1", "scores_0", "predicted_0_student", "history_members", "coverage_0_0"} <= names
    assert names == {path.stem for path in (folder / "figures").glob("*.png")}
    assert write_report(folder).read_bytes() == first


@pytest.mark.usefixtures("draw_nothing")
def test_stored_logos_are_shown(make_study):
    folder = make_study()
    (folder / "attribution").mkdir()
    (folder / "attribution" / "logo_a.png").write_bytes(b"PNG")
    parsed = read(folder)
    assert sum(reference.startswith("data:image/png") for reference in parsed.resources) == 1
    assert "logo a" in parsed.words


def test_logos_of_the_study_show_the_stretch_of_the_largest_contributions(make_study):
    pictures = logo_pictures(read_logos(make_study(with_logos=True)))
    assert [picture.name for picture in pictures] == ["logo_0_0", "logo_1_0", "logo_0_1", "logo_1_1"]
    assert "b, test sequence 2 by measured activity" in pictures[-1].caption
    assert "Positions 40 to 99 of 100, counted from 0." in pictures[-1].caption
    labels = [axis.get_title(loc="left") for axis in pictures[-1].figure.axes]
    assert labels == ["ensemble, mean of its members", "student", "sd over members"]


def test_logos_have_a_limit_and_every_target_has_a_first_one(make_study, monkeypatch):
    monkeypatch.setattr("degu.report.logo_pictures.MOST", 3)
    names = [picture.name for picture in logo_pictures(read_logos(make_study(with_logos=True)))]
    assert names == ["logo_0_0", "logo_1_0", "logo_0_1"]


def test_richest_stretch():
    assert richest_stretch(np.array([0.0, 1.0, -5.0, 4.0, 0.0]), 2) == (2, 4)
    assert richest_stretch(np.array([0.0, 1.0]), 60) == (0, 2)


def test_a_page_has_a_limit_and_names_the_files_beyond(make_study, monkeypatch):
    monkeypatch.setattr("degu.report.page._MOST_SVG_CHARACTERS", 50_000)
    folder = make_study(("a",))
    path = write_report(folder)
    assert path.stat().st_size < 110_000
    (left_out,) = set(re.findall(r"see (figures/history_student\.svg)", path.read_text()))
    assert (folder / left_out).is_file()
