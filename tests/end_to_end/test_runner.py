"""`degu run` from the command line to the files and runs that it leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from degu.cli import main
from degu.tracking.backend import load_client

TINY = [
    "experiment=smoke",
    "data.num_train=48",
    "data.num_valid=30",
    "data.num_test=30",
    "data.length=40",
    "model.filters=[4]",
    "model.dense=4",
    "ensemble.num_ensemble=2",
    "trainer.max_epochs=2",
    "distill.trainer.max_epochs=3",
]
MYLAB = '''
"""An architecture of somebody else."""

import keras


def linear(input_shape, num_outputs, *, hidden=3):
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(hidden, name="of_mylab")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(x))
'''


def degu(*arguments, folder):
    command = [sys.executable, "-c", "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))", *arguments]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **quiet}, capture_output=True, text=True, check=False, timeout=300
    )


def summaries(done):
    """The JSON lines of a run's standard output."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("work place")


@pytest.fixture(scope="module")
def single(workplace):
    """A study of seed 3: its process and its summary."""
    done = degu("run", *TINY, "seed=3", folder=workplace)
    (summary,) = summaries(done)
    return done, summary


@pytest.fixture(scope="module")
def several(workplace, single):
    """Summaries of studies of seeds 3 and 4, by another process, and of their sweep."""
    return summaries(degu("run", "-m", *TINY, "seed=3,4", "hydra.sweeper.isolate=false", folder=workplace))


@pytest.fixture(scope="module")
def client(workplace, single):
    return load_client(f"sqlite:///{workplace / 'mlruns' / 'mlflow.db'}")


@pytest.fixture(scope="module")
def runs(client, single):
    """The study's run and its children by name."""
    study = client.get_run(single[1]["run_id"])
    found = client.search_runs(
        [study.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{study.info.run_id}'"
    )
    return study, {run.info.run_name: run for run in found}


def files(client, run_id, folder=None):
    for item in client.list_artifacts(run_id, folder):
        if item.is_dir:
            yield from files(client, run_id, item.path)
        else:
            yield item.path


def test_last_line_of_standard_output_is_the_summary(single):
    done, summary = single
    assert json.loads(done.stdout.splitlines()[-1]) == summary
    assert set(summary) == {"run_id", "output_dir", "objective"}
    results = json.loads((Path(summary["output_dir"]) / "results.json").read_text())
    assert results["objective"] == {"metric": "valid/regression/pearson_r/student/mean", "value": summary["objective"]}
    assert results["metrics"]["valid/regression/pearson_r/student/mean"] == summary["objective"]
    assert "ensemble of 2" in done.stdout
    assert "Traceback" not in done.stderr


def test_one_seed_gives_identical_results_and_another_does_not(single, several):
    read = [(Path(summary["output_dir"]) / "results.json").read_bytes() for summary in (single[1], *several[:2])]
    assert read[0] == read[1]
    assert json.loads(read[0])["metrics"] != json.loads(read[2])["metrics"]
    assert len({summary["output_dir"] for summary in (single[1], *several[:2])}) == 3


def test_output_folder(single):
    folder = Path(single[1]["output_dir"])
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} >= {
        "results.json",
        "provenance.json",
        "timings.json",
        "comparison.txt",
        "figures/comparison.png",
        "figures/comparison.svg",
        "evaluation/test.npz",
        "report.html",
        "weights/member_0.weights.h5",
        "weights/member_1.weights.h5",
        "weights/student.weights.h5",
        "histories/member-00.json",
        "histories/student.json",
    }
    assert len(list((folder / "predictions").glob("*.npy"))) == 3
    assert not [path for path in folder.rglob("*") if "partial" in path.name or path.name.startswith(".")]


def test_tree_of_runs(runs, single):
    study, children = runs
    assert set(children) == {"member-00", "member-01", "student"}
    assert {run.info.status for run in (study, *children.values())} == {"FINISHED"}
    assert study.data.tags["degu.kind"] == "study"
    assert [children[name].data.tags["degu.kind"] for name in sorted(children)] == ["member", "member", "student"]
    assert study.data.params["seed"] == "3"
    assert study.data.params["model._target_"] == "degu.models.small_cnn"
    results = json.loads((Path(single[1]["output_dir"]) / "results.json").read_text())["metrics"]
    assert {name: value for name, value in study.data.metrics.items() if "/" in name and "seconds" not in name} == (
        pytest.approx(results, nan_ok=True)
    )


def test_runs_of_networks_hold_weights_history_and_metrics(runs, client):
    for name, run in runs[1].items():
        weights = "student.weights.h5" if name == "student" else f"member_{int(name[-2:])}.weights.h5"
        record = weights.replace(".weights.h5", ".training.json")
        found = set(files(client, run.info.run_id))
        assert found == {f"weights/{weights}", f"weights/{record}", f"history/{name}.json"}
        assert {"test/regression/mse/mean", "valid/regression/pearson_r/activity_0"} <= set(run.data.metrics)
    assert "test/epistemic/pearson_r/mean" in runs[1]["student"].data.metrics


def test_logged_losses_are_those_of_the_history(runs, client, single):
    for name, run in runs[1].items():
        history = json.loads((Path(single[1]["output_dir"]) / "histories" / f"{name}.json").read_text())
        assert len(history["loss"]) == (3 if name == "student" else 2)
        for logged, kept in {"train/loss": "loss", "valid/loss": "val_loss", "learning_rate": "learning_rate"}.items():
            series = sorted(client.get_metric_history(run.info.run_id, logged), key=lambda metric: metric.step)
            assert [metric.step for metric in series] == list(range(len(history[kept])))
            assert [metric.value for metric in series] == pytest.approx(history[kept], rel=1e-6)


def test_study_holds_what_is_needed_to_look_at_it_again(runs, client):
    found = set(files(client, runs[0].info.run_id))
    expected = {"config.yaml", "results.json", "provenance.json", "comparison.txt", "figures/comparison.png"}
    assert expected | {"report.html", "evaluation/test.npz"} <= found
    assert sum(path.startswith("predictions/") for path in found) == 3


def test_recorded_studies_are_listed_and_shown(workplace, single, several, capsys):
    root = ["--root", str(workplace / "mlruns")]
    assert main(["runs", "list", *root]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["run", "name", "status"]
    ids = [summary["run_id"][:12] for summary in (single[1], several[2])]
    assert [line.split()[0] for line in lines if line.split()[0] in ids] == ids[::-1]
    assert main(["runs", "list", "--limit", "1", *root]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["runs", "show", single[1]["run_id"][:8], *root]) == 0
    shown = capsys.readouterr().out
    for text in ("member-01", "student", "test/regression/mse/ensemble/mean", "ensemble.num_ensemble", "results.json"):
        assert text in shown
    assert main(["runs", "show", "ffffffff", *root]) == 2
    assert capsys.readouterr().err.startswith("degu: ")


@pytest.fixture(scope="module")
def mylab(workplace):
    """A folder with an architecture and its config; nothing of it is known to degu."""
    (workplace / "mylab_model.py").write_text(MYLAB)
    (workplace / "lab" / "model").mkdir(parents=True)
    (workplace / "lab" / "model" / "linear.yaml").write_text(
        "_target_: mylab_model.linear\n_partial_: true\nhidden: 3\n"
    )
    tiny = [argument for argument in TINY if not argument.startswith("model.")]
    own = ["--config-dir", str(workplace / "lab"), "--allow", "mylab_model"]
    return [*tiny, *own, "model=linear", "model.hidden=2", "tracking=none"]


def test_an_architecture_from_outside(workplace, mylab):
    done = degu("run", *mylab, "name=outside", folder=workplace)
    (summary,) = summaries(done)
    assert summary["run_id"] == ""
    assert Path(summary["output_dir"]).parent.name == "outside"
    assert (Path(summary["output_dir"]) / "weights" / "student.weights.h5").is_file()


def test_code_from_outside_is_not_even_imported_unless_it_is_allowed(workplace, mylab, tmp_path, monkeypatch, capsys):
    (tmp_path / "mylab_model.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["run", *(argument for argument in mylab if "mylab" not in argument and argument != "--allow")]) == 2
    message = capsys.readouterr().err
    assert "Received: mylab_model.linear, other code that would be run" in message
    assert "--allow mylab_model" in message
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".py"]


@pytest.mark.parametrize("value", ["model._target_=os.system", "trainer._target_=keras.models.load_model"])
def test_a_target_on_the_command_line_is_refused_too(tmp_path, value):
    done = degu("run", *TINY, value, "tracking=none", folder=tmp_path)
    assert done.returncode == 2
    assert f"Received: {value.partition('=')[2]}, other code" in done.stderr
    assert not list(tmp_path.rglob("*.h5"))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("model=linera", "no choice 'linera' in group 'model'. Did you mean 'linear'?"),
        ("model.hiden=3", "no config key 'model.hiden'. Did you mean 'model.hidden'?"),
    ],
)
def test_mistakes_beside_configs_from_outside(workplace, mylab, monkeypatch, capsys, mistake, message):
    monkeypatch.chdir(workplace)
    assert main(["run", *mylab, mistake]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("ensemble.num_ensembles=3", "no config key 'ensemble.num_ensembles'. Did you mean 'ensemble.num_ensemble'?"),
        ("model=deepstar", "no choice 'deepstar' in group 'model'. Did you mean 'deepstarr'?"),
        ("data=synthetic data.lenght=40", "no config key 'data.lenght'. Did you mean 'data.length'?"),
        ("mdoel=deepstarr", "no config key 'mdoel'. Did you mean 'model'?"),
        ("model@distill.student=deepstar", "no choice 'deepstar' in group 'model'"),
        ("seed", "overrides of the form key=value. Received: 'seed'"),
        ("seed=0,1", "Expected one value in 'seed=0,1'. Received: several. Add -m"),
        ("--config-dir nowhere", "--config-dir to name a folder. Received: 'nowhere'"),
        ("seed=1 --allow", "Expected --allow PACKAGE"),
        ("seed=[1", "overrides of the form key=value"),
    ],
)
def test_mistakes_are_named_and_leave_no_files(tmp_path, monkeypatch, capsys, mistake, message):
    monkeypatch.chdir(tmp_path)
    assert main(["run", *mistake.split()]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_mistyped_arguments_are_refused_before_training(tmp_path):
    done = degu("run", *TINY, "+model.filterz=3", folder=tmp_path)
    assert done.returncode == 2
    assert "degu.models.small_cnn has no argument 'filterz'. Did you mean 'filters'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.h5"))
