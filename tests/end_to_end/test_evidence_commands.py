"""The commands of the experiments that answer the method's questions run in a reduced form, from recipe to table."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
REDUCED = [
    *("data=synthetic", "data.num_train=96", "data.num_valid=48", "data.num_test=96", "data.length=40"),
    *("downsample.fraction=1.0", "trainer.max_epochs=1", "distill.trainer.max_epochs=1", "seed=0", "device=cpu"),
    *("hydra.sweeper.isolate=false", "tracking=none"),
]
SMALL = ["model.filters=[4]", "model.dense=4"]
TWO_MEMBERS = "ensemble.num_ensemble=2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run: later ones find the studies of earlier ones, as the texts say."""
    return tmp_path_factory.mktemp("evidence")


def run(folder, name, *overrides, data="lac_promoter"):
    """Run the commands of an experiment and return its table as rows, and its figures."""
    out = folder / "out" / name
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "OUT": str(out), "DATA": data, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [EXPERIMENTS / name / "commands.sh", *overrides],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all((out / f"{figure.stem}.svg").is_file() for figure in out.glob("*.png"))
    assert list(out.glob("*.png"))
    return rows


def values(rows, column):
    return {row[column] for row in rows}


def test_inheritance_with_its_control_shifts_and_explanations(folder):
    rows = run(folder, "inheritance", *REDUCED, *SMALL, TWO_MEMBERS)
    assert values(rows, "experiment") == {"evidence_inherit", "evidence_control"}
    assert {"single_mean", "ensemble", "student", "mc_dropout"} <= values(rows, "model")
    assert "experiment=evidence_inherit" in values(rows, "against")
    shifts = run(folder, "off_distribution")
    assert {"test/shift/shuffled/epistemic_auroc", "test/shift/mutated/normalized_mse"} <= values(shifts, "metric")
    explained = run(folder, "explanations")
    assert {("student", "single_left_out")} <= {(row["model"], row["minus"]) for row in explained}


def test_ensemble_size(folder):
    rows = run(folder, "ensemble_size", *REDUCED, *SMALL)
    assert values(rows, "ensemble.num_ensemble") == {"2", "3", "5", "10"}
    assert values(rows, "model") >= {"ensemble", "student"}


def test_uncertainty_target(folder):
    rows = run(folder, "uncertainty_target", *REDUCED, *SMALL)
    assert values(rows, "uncertainty") == {"std", "logvar"}
    assert values(rows, "distill.standardize") == {"true", "false"}


def test_teaching(folder):
    overrides = [override for override in REDUCED if not override.startswith("distill.trainer.max_epochs")]
    rows = run(folder, "teaching", *overrides, *SMALL, data="plant_terminators")
    assert values(rows, "distill") == {"static", "copies", "dynamic"}
    with (folder / "out" / "teaching" / "epochs.csv").open(newline="") as file:
        longer = [row for row in csv.DictReader(file) if row["against"]]
    assert {(row["distill"], row["distill.trainer.max_epochs"]) for row in longer} == {
        ("static", "16"),
        ("dynamic", "16"),
    }


def test_data_amount(folder):
    rows = run(folder, "data_amount", *REDUCED, *SMALL, TWO_MEMBERS, "downsample.fraction=0.5,1.0")
    assert values(rows, "downsample.fraction") == {"0.5", "1.0"}


@pytest.mark.parametrize(
    ("name", "jobs", "kinds"),
    [("diversity", "0,3", {"both", "augmentation"}), ("noise_models", "1,3", {"evidential", "means"})],
)
def test_recipes_side_by_side(folder, name, jobs, kinds):
    """Two recipes each; tests/contract composes all of them."""
    rows = run(folder, name, *REDUCED, *SMALL, TWO_MEMBERS, f"hydra.sweeper.only=[{jobs}]")
    assert {value.split("_", 2)[2] for value in values(rows, "experiment")} == kinds
