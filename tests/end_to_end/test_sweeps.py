"""`degu run -m`: jobs that fail alone, are found again and never repeated; what is left in files and in MLflow."""

import contextlib
import csv
import io
import json
import os
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from degu.cli import main
from degu.tracking.backend import load_client

TINY = [
    *("experiment=smoke", "device=cpu", "data.num_train=48", "data.num_valid=30", "data.num_test=30", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "trainer.max_epochs=1", "distill.trainer.max_epochs=1"),
    *("evaluation.uncertainty=null", "evaluation.calibration=null", "evaluation.shift=null"),
    "evaluation.attribution=null",
]
HERE = "hydra.sweeper.isolate=false"
GRID = ["seed=0,1", "ensemble.num_ensemble=2,1"]
OBJECTIVE = "valid/regression/pearson_r/student/mean"
BROKEN = '''
"""An architecture that kills its process when it is told to."""

import os

import keras


def network(input_shape, num_outputs, *, fatal=False):
    if fatal:
        os.kill(os.getpid(), 9)
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(keras.layers.Flatten()(inputs)))
'''


class Call(NamedTuple):
    """A call of `degu run`: exit status, lines of JSON, standard error, and when weights were written."""

    code: int
    lines: list
    err: str
    weights: dict


def run(folder, *arguments):
    """Run studies in this process, from a folder."""
    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["run", *arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        os.chdir(before)
    lines = [json.loads(line) for line in out.getvalue().splitlines() if line.startswith("{")]
    weights = {path: path.stat().st_mtime_ns for path in folder.rglob("*.h5")}
    return Call(code, lines, err.getvalue(), weights)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("a place")


@pytest.fixture(scope="module")
def first(place):
    """Four jobs, of which two cannot work."""
    return run(place, "-m", *TINY, HERE, *GRID)


@pytest.fixture(scope="module")
def folder(first):
    return Path(first.lines[-1]["output_dir"])


def test_failed_jobs_are_named_and_leave_the_others_alone(first, folder):
    assert first.code == 1
    assert first.lines[-1]["failed"] == [1, 3]
    assert first.lines[-1]["jobs"] == 4
    assert [line["job"] for line in first.lines[:-1]] == [0, 2]
    said = "job 1 of 4 FAILED: seed=0 ensemble.num_ensemble=1: ConfigError: "
    said += "Expected at least 2 members (ensemble.num_ensemble)"
    assert f"{said}. Received: 1 (see {folder / '1' / 'error.txt'})" in first.err
    assert first.err.index("job 1 of 4 FAILED") < first.err.index("job 2 of 4 started")
    assert "Traceback" in (folder / "1" / "error.txt").read_text()


def test_sweep_file_lists_the_jobs(first, folder):
    content = json.loads((folder / "sweep.json").read_text())
    assert [job["status"] for job in content["jobs"]] == ["finished", "failed", "finished", "failed"]
    assert [job["values"] for job in content["jobs"]][2] == {"seed": "1", "ensemble.num_ensemble": "2"}
    finished = [job["objective"] for job in content["jobs"] if job["status"] == "finished"]
    assert finished == [line["objective"] for line in first.lines[:-1]]
    assert first.lines[-1]["objective"] == max(finished)
    assert content["best"] == first.lines[-1]["best"]


def test_comparison_and_figure(folder):
    rows = list(csv.DictReader(io.StringIO((folder / "comparison.tsv").read_text()), delimiter="\t"))
    results = json.loads((folder / "2" / "results.json").read_text())
    assert float(rows[2]["objective"]) == results["objective"]["value"]
    assert float(rows[2]["test_student"]) == results["metrics"]["test/regression/pearson_r/student/mean"]
    assert {path.name for path in (folder / "figures").iterdir()} == {
        "parallel_coordinates.png",
        "parallel_coordinates.svg",
    }


def test_runs_of_a_sweep(place, first, folder):
    client = load_client(f"sqlite:///{place / 'mlruns' / 'mlflow.db'}")
    sweep = client.get_run(first.lines[-1]["run_id"])
    assert sweep.data.tags["degu.kind"] == "sweep"
    assert sweep.info.status == "FAILED"
    assert sweep.data.metrics[OBJECTIVE] == first.lines[-1]["objective"]
    files = {item.path for item in client.list_artifacts(sweep.info.run_id)}
    assert {"sweep.json", "comparison.tsv", "comparison.txt", "figures"} <= files
    studies = client.search_runs(
        [sweep.info.experiment_id], f"tags.mlflow.parentRunId = '{sweep.info.run_id}'", order_by=["tags.`degu.job`"]
    )
    assert [study.info.status for study in studies] == ["FINISHED", "FAILED", "FINISHED", "FAILED"]
    assert [study.info.run_name for study in studies][1] == "1 seed=0 num_ensemble=1"
    assert {study.data.tags["degu.kind"] for study in studies} == {"study"}
    best = [study.data.tags["degu.job"] for study in studies if study.data.tags.get("degu.best") == "true"]
    assert best == [str(first.lines[-1]["best"])]
    assert "at least 2 members" in studies[1].data.tags["degu.error"]
    history = client.get_metric_history(sweep.info.run_id, f"objective/{OBJECTIVE}")
    assert [(metric.step, metric.value) for metric in history] == [
        (line["job"], line["objective"]) for line in first.lines[:-1]
    ]


def test_sweeps_are_listed_and_shown(place, first, capsys):
    root = ["--root", str(place / "mlruns")]
    sweep = first.lines[-1]["run_id"]
    assert main(["runs", "list", *root]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [sweep[:12]]
    assert "4 studies, 2 failed" in lines[0]
    assert main(["runs", "list", "--all", *root]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert main(["runs", "show", sweep, *root]) == 0
    shown = capsys.readouterr().out
    assert "0 seed=0 num_ensemble=2" in shown
    assert "comparison.tsv" in shown


@pytest.fixture(scope="module")
def again(place, first):
    """The same command."""
    return run(place, "-m", *TINY, HERE, *GRID)


def test_the_same_command_runs_what_failed_and_nothing_else(first, again, folder):
    assert again.code == 1
    assert again.lines[-1]["run_id"] == first.lines[-1]["run_id"]
    assert again.lines[-1]["output_dir"] == first.lines[-1]["output_dir"]
    assert again.weights == first.weights
    assert "2 of 4 jobs in" in again.err
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["attempts"] for job in jobs] == [1, 2, 1, 2]


def test_a_finished_sweep_is_left_as_it_is(tmp_path):
    command = ["-m", *TINY, HERE, "seed=0", "tracking=none", "ensemble.num_ensemble=2"]
    done = run(tmp_path, *command)
    repeated = run(tmp_path, *command)
    assert done.code == repeated.code == 0
    assert "1 of 1 jobs in" in repeated.err
    assert "started" not in repeated.err
    assert repeated.lines[-1] == done.lines[-1]
    assert repeated.weights == done.weights


def test_the_command_that_is_printed_runs_failed_jobs_alone(place, first, again):
    lines = first.err.splitlines()
    command = shlex.split(lines[lines.index("Run them again, and nothing else, with") + 1])
    assert command[:3] == ["degu", "run", "-m"]
    assert "hydra.sweeper.only=[1,3]" in command
    done = run(place, *command[2:-1], "hydra.sweeper.only=[3]")
    folder = Path(done.lines[-1]["output_dir"])
    assert [job["attempts"] for job in json.loads((folder / "sweep.json").read_text())["jobs"]] == [1, 2, 1, 3]
    assert run(place, *command[2:-1], "hydra.sweeper.only=[7]").code == 2


def test_one_job_run_alone_is_a_job_of_its_sweep(place, first, again, folder):
    lines = first.err.splitlines()
    command = shlex.split(lines[lines.index("or one of them alone with") + 1])
    assert command[-1] == f'hydra.run.dir="{folder / "1"}"'
    done = run(place, *command[2:])
    assert done.code == 2
    assert "Expected at least 2 members (ensemble.num_ensemble)" in done.err
    assert json.loads((folder / "1" / "job.json").read_text())["attempts"] == 3


def test_another_sweep_has_another_folder_and_a_wrong_one_none(place, first, folder):
    other = run(place, "-m", *TINY, HERE, "seed=0", "ensemble.num_ensemble=1", "trainer.max_epochs=1,2")
    assert other.code == 1
    assert Path(other.lines[-1]["output_dir"]) != folder
    before = set((place / "outputs").rglob("*"))
    refused = run(place, "-m", "device=cpu", HERE, "seed=0,1", "data=table", "data.targets=[y]")
    assert refused.code == 2
    assert "Expected a value for data.path" in refused.err
    assert set((place / "outputs").rglob("*")) == before


def test_a_search_goes_on_where_it_stopped(place):
    space = ["sweeper=optuna", "model.dense=int(interval(2,9))", "trainer.initial_lr=tag(log,interval(1e-3,1e-1))"]
    short = run(place, "-m", *TINY, HERE, *space, "hydra.sweeper.n_trials=2", "tracking=none")
    assert short.code == 0, short.err
    long = run(place, "-m", *TINY, HERE, *space, "hydra.sweeper.n_trials=3", "tracking=none")
    assert long.lines[-1]["output_dir"] == short.lines[-1]["output_dir"]
    assert short.weights.items() <= long.weights.items()
    jobs = json.loads((Path(long.lines[-1]["output_dir"]) / "sweep.json").read_text())["jobs"]
    assert [job["attempts"] for job in jobs] == [1, 1, 1]
    assert len({tuple(job["values"].items()) for job in jobs}) == 3
    for job in jobs:
        assert 2 <= int(job["values"]["model.dense"]) <= 9
        assert 1e-3 <= float(job["values"]["trainer.initial_lr"]) <= 1e-1
    assert long.lines[-1]["objective"] == max(job["objective"] for job in jobs)
    import optuna

    journal = str(Path(long.lines[-1]["output_dir"]) / "optuna.journal")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(journal))
    (study,) = optuna.get_all_study_summaries(storage)
    assert study.n_trials == 3
    assert study.best_trial.value == long.lines[-1]["objective"]


def test_a_process_that_dies_takes_no_other_job_with_it(tmp_path):
    (tmp_path / "brokenlab.py").write_text(BROKEN)
    (tmp_path / "lab" / "model").mkdir(parents=True)
    (tmp_path / "lab" / "model" / "broken.yaml").write_text(
        "_target_: brokenlab.network\n_partial_: true\nfatal: false\n"
    )
    tiny = [argument for argument in TINY if not argument.startswith("model.")]
    lab = ["--allow", "brokenlab", "--config-dir", str(tmp_path / "lab"), "model=broken", "tracking=none"]
    done = run(
        tmp_path, "-m", *tiny, *lab, "ensemble.num_ensemble=2", "model.fatal=true,false", "launcher=joblib",
        "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert done.code == 1
    assert done.lines[-1]["failed"] == [0]
    assert "job 0 of 2 FAILED: model.fatal=True: its process ended with signal SIGKILL" in done.err
    assert "--allow=brokenlab" in done.err
    assert [line["job"] for line in done.lines[:-1]] == [1]
    assert "member" in (Path(done.lines[-1]["output_dir"]) / "1" / "job.log").read_text()
