"""What pages tell users to write and to type works."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TITLED = re.compile(r'^```\w+ title="(?P<title>[^"]+)"\n(?P<text>.*?)^```', re.DOTALL | re.MULTILINE)


def test_the_package_of_the_page_on_own_models_runs(tmp_path):
    page = (DOCS / "own-model.md").read_text(encoding="utf-8")
    files = {match["title"]: match["text"] for match in TITLED.finditer(page)}
    assert files.keys() >= {"mylab/models.py", "mylab/losses.py", "recipes/model/mine.yaml", "recipes/loss/huber.yaml"}
    for name, text in {**files, "mylab/__init__.py": ""}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (command,) = re.findall(r"^degu (run --config-dir recipes --allow mylab .*)$", page, re.MULTILINE)
    small = ["data.num_train=128", "data.num_valid=60", "data.num_test=120", "ensemble.num_ensemble=2"]
    small += ["trainer.max_epochs=1", "distill.trainer.max_epochs=1", "tracking=none", "evaluation.shift=null"]
    start = [sys.executable, "-c", "import sys; from degu.cli import main; sys.exit(main())"]
    done = subprocess.run([*start, *command.split(), *small], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    config = (tmp_path / "outputs" / "mine" / "config.yaml").read_text(encoding="utf-8")
    assert "mylab.models.my_network" in config
    assert "mylab.losses.Huber" in config


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


@pytest.mark.slow
def test_every_command_of_the_tutorial_works():
    tutorial = pytest.importorskip("tutorial", reason="the tools of the documentation are not installed")
    ran = tutorial.execute(quick=True)
    assert all(cell.cell_type == "markdown" or "outputs" in cell for cell in ran.cells)
