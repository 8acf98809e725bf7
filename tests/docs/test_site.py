"""The check of a built site, and the links of pages that are read in the repository."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "experiments").glob("*/README.md"),
]
GOOD = """
<a href="b.html#part">x</a> <img src="i.png"> <a href="https://elsewhere.org">y</a> <p id="here"><a href="#here">z</a>
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text('<h2 id="part">Part</h2>')
    (tmp_path / "i.png").write_bytes(b"")
    return tmp_path


def test_a_site_whose_links_lead_somewhere_has_no_faults(site):
    import check_site

    assert check_site.faults(site) == []
    assert check_site.main(str(site)) == 0


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="c.html">', "c.html leads to no file"),
        ('<a href="b.html#other">', "b.html#other leads to no such place on the page"),
        ('<a href="#nowhere">', "#nowhere leads to no such place on the page"),
        ('<img src="gone.png">', "gone.png leads to no file"),
        ('<script src="https://cdn.org/x.js"></script>', "https://cdn.org/x.js is fetched from elsewhere"),
        ('<link rel="stylesheet" href="//cdn.org/x.css">', "//cdn.org/x.css is fetched from elsewhere"),
        ('<p style="background: url(https://cdn.org/x.png)">', "https://cdn.org/x.png is fetched from elsewhere"),
    ],
)
def test_a_fault_is_found(site, html, fault):
    import check_site

    (site / "a.html").write_text(html)
    assert check_site.faults(site) == [f"a.html: {fault}"]
    assert check_site.main(str(site)) == 1


def test_a_style_sheet_that_fetches_a_font_is_found(site):
    import check_site

    (site / "s.css").write_text("@font-face { src: url('https://fonts.org/f.woff2') }")
    assert check_site.faults(site) == ["s.css: https://fonts.org/f.woff2 is fetched from elsewhere"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere_in_the_repository(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    written = ("reference/", "changelog.md", "contributing.md", "security.md", "experiments/")  # when the site is built
    inside = {link: (page.parent / link).resolve().relative_to(ROOT).as_posix().removeprefix("docs/") for link in links}
    gone = [link for link in links if not (page.parent / link).exists() and not inside[link].startswith(written)]
    assert gone == []


def test_links_out_of_the_documentation_lead_to_pages():
    import root_pages

    text = "[a](../conf/data/table.yaml) [b](../conf) [c](../Makefile) [d](../CHANGELOG.md#x) [e](augmentations.md)"
    moved = root_pages.relinked(text, "docs/howto/own.md".replace("howto/", ""), "own.md")
    assert moved == (
        "[a](reference/config/data.md#table) [b](reference/config/index.md) c [d](changelog.md#x) [e](augmentations.md)"
    )


def test_equations_become_mathml():
    equations = pytest.importorskip("equations", reason="latex2mathml is not installed")
    html = '<p><span class="arithmatex">\\(\\sigma_1 &lt; 2\\)</span></p><div class="arithmatex">\\[x^2\\]</div>'
    found = equations.on_page_content(html)
    assert "arithmatex" not in found
    assert found.count("<math") == 2
    assert 'display="block"' in found
