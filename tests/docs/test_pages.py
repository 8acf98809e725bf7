"""The tutorial does what it says."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_executed_tutorial_is_that_of_the_source():
    tutorial = pytest.importorskip("tutorial", reason="the tools of the documentation are not installed")
    assert tutorial.is_current(), "docs/tutorial.md has changed: make tutorial"


def test_the_executed_tutorial_has_outputs_and_no_errors():
    pytest.importorskip("nbformat", reason="the tools of the documentation are not installed")
    cells = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    text = json.dumps(outputs)
    assert "ensemble of 5" in text
    assert "image/png" in text
    assert str(Path.home()) not in text
    assert "/tmp/" not in text


def test_columns_of_a_table_stand_below_each_other_on_the_page():
    tutorial = pytest.importorskip("tutorial", reason="the tools of the documentation are not installed")
    shown = tutorial._output({"text": '{"rows": 2}\nid\tactivity_mean\tx\na\t1.5\tfalse\nlonger\t-2\ttrue\n'})
    assert shown.splitlines()[1:-1] == [
        '{"rows": 2}',
        "id      activity_mean  x",
        "a       1.5            false",
        "longer  -2             true",
    ]
    assert "\t" not in tutorial.pages()["tutorial.md"]


@pytest.mark.slow
def test_every_command_of_the_tutorial_works():
    tutorial = pytest.importorskip("tutorial", reason="the tools of the documentation are not installed")
    ran = tutorial.execute(quick=True)
    assert all(cell.cell_type == "markdown" or "outputs" in cell for cell in ran.cells)
