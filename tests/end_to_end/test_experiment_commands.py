"""The commands of the experiments run on a study and write their tables."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
TINY = [
    *("experiment=heteroscedastic", "data.num_train=96", "data.num_valid=60", "data.num_test=200", "model.filters=[4]"),
    *("model.dense=4", "ensemble.num_ensemble=2", "trainer.max_epochs=2", "distill.trainer.max_epochs=1"),
    *("evaluation.uncertainty.num_resamples=3", "evaluation.attribution.num_sequences=2", "distill=copies"),
]


@pytest.fixture(scope="module")
def study(degu_run):
    return degu_run(*TINY)[0].folder


@pytest.mark.parametrize(
    ("name", "arguments", "files", "words"),
    [
        ("intervals_coverage", ["--splits", "3"], ["coverage.png"], "student | conformal_mondrian"),
        ("synthetic_truth", [], ["truth.png"], "isotonic, student: activity_1"),
        ("known_motifs", ["--sequences", "20"], [], "activity_0"),
        ("student_off_distribution", ["--seeds", "1"], [], "motif_destroyed | copies"),
        ("real_data", [], [], "total_calibrated | nll"),
    ],
)
def test_command_writes_its_table(study, tmp_path, name, arguments, files, words):
    spec = importlib.util.spec_from_file_location(f"experiment_{name}", EXPERIMENTS / name / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert module.main([str(study), "--output", str(tmp_path), *arguments]) == 0
    assert words in (tmp_path / "table.md").read_text()
    for file in files:
        assert (tmp_path / file).stat().st_size > 5000
