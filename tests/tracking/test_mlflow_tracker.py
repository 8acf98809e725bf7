from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from degu.errors import TrackingError
from degu.tracking import MLflowTracker, Tracker


def record_study(tracker, folder):
    (folder / "history.json").write_text("[1, 2]")
    with tracker.start("study", tags={"degu.kind": "study"}) as study:
        study.config({"seed": 0, "model": {"_target_": "degu.models.DeepSTARR", "rates": [0.1, 0.2]}})
        for index in range(2):
            with study.start(f"member-{index:02d}", tags={"degu.kind": "member"}) as member:
                member.metrics({"train/loss": 1.0 / (index + 1), "valid/loss": math.nan}, step=0)
                member.metrics({"train/loss": 0.5 / (index + 1), "valid/loss": 0.25}, step=1)
                member.artifact(folder / "history.json", folder="training")
        with study.start("student", tags={"degu.kind": "student"}) as student:
            student.metrics({"test/regression/pearson_r/Dev": 0.75})
        study.artifact(folder)
    return study.run_id


def text_of(client, run_id, artifact, folder) -> str:
    return Path(client.download_artifacts(run_id, artifact, str(folder))).read_text()


def test_tree_is_read_back(tracker, read, tmp_path):
    study_id = record_study(tracker, tmp_path)

    client = read(tracker)
    experiment = client.get_run(study_id).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{study_id}'")
    assert sorted(run.info.run_name for run in children) == ["member-00", "member-01", "student"]
    assert {run.info.status for run in children} == {"FINISHED"}
    first = next(run for run in children if run.info.run_name == "member-00")
    assert first.data.tags["degu.kind"] == "member"
    assert first.data.metrics == {"train/loss": 0.5, "valid/loss": 0.25}
    history = client.get_metric_history(first.info.run_id, "train/loss")
    assert [(entry.step, entry.value) for entry in history] == [(0, 1.0), (1, 0.5)]
    assert math.isnan(client.get_metric_history(first.info.run_id, "valid/loss")[0].value)
    assert [item.path for item in client.list_artifacts(first.info.run_id, "training")] == ["training/history.json"]


def test_config_is_read_back(tracker, read, tmp_path):
    study_id = record_study(tracker, tmp_path)

    client = read(tracker)
    params = client.get_run(study_id).data.params
    assert params == {"seed": "0", "model._target_": "degu.models.DeepSTARR", "model.rates": "[0.1, 0.2]"}
    frozen = yaml.safe_load(text_of(client, study_id, "config.yaml", tmp_path))
    assert frozen == {"seed": 0, "model": {"_target_": "degu.models.DeepSTARR", "rates": [0.1, 0.2]}}
    assert list(frozen) == ["seed", "model"]


def test_folder_is_recorded_with_its_contents(local, read, tmp_path):
    nested = tmp_path / "figures" / "inner"
    nested.mkdir(parents=True)
    (nested / "a.txt").write_text("a")

    with local.start("study") as study:
        study.artifact(tmp_path / "figures", folder="report")

    found = read(local).list_artifacts(study.run_id, "report/figures/inner")
    assert [item.path for item in found] == ["report/figures/inner/a.txt"]


def test_artifacts_of_a_local_store_lie_beside_the_database(local, store_root, tmp_path):
    (tmp_path / "weights.txt").write_text("w")
    with local.start("study") as study:
        study.artifact(tmp_path / "weights.txt")

    assert (store_root / "mlflow.db").is_file()
    assert list((store_root / "artifacts").glob(f"{study.run_id}/**/weights.txt"))


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError, "FAILED"), (SystemExit, "FAILED"), (KeyboardInterrupt, "KILLED")],
)
def test_status_after_an_error(local, read, error, status):
    with pytest.raises(error), local.start("study") as study, study.start("member-00") as member:
        raise error

    client = read(local)
    assert client.get_run(study.run_id).info.status == status
    assert client.get_run(member.run_id).info.status == status


def test_status_while_running_and_after(local, read):
    client = read(local)
    with local.start("study") as study:
        assert client.get_run(study.run_id).info.status == "RUNNING"
    assert client.get_run(study.run_id).info.status == "FINISHED"
    assert client.get_run(study.run_id).info.end_time is not None


def test_another_tracker_attaches_to_a_created_run(tracker, read):
    client = read(tracker)
    with tracker.start("study") as study:
        run_id = study.create("member-00", tags={"degu.kind": "member"})
        assert client.get_run(run_id).info.status == "SCHEDULED"

        elsewhere = MLflowTracker(tracker.uri, experiment=tracker.experiment)
        with elsewhere.attach(run_id) as member:
            assert client.get_run(run_id).info.status == "RUNNING"
            member.metrics({"train/loss": 0.5}, step=0)

    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.parentRunId"] == study.run_id
    assert run.data.metrics == {"train/loss": 0.5}


def test_attach_to_an_unknown_run(local):
    with pytest.raises(TrackingError, match="find the run 'f00'"), local.attach("f00"):
        pass


def test_many_metrics_and_params_are_sent_in_accepted_portions(tracker, read):
    metrics = {f"test/regression/mse/{index}": float(index) for index in range(1100)}
    config = {f"key{index}": index for index in range(150)}

    with tracker.start("study") as study:
        study.metrics(metrics)
        study.config(config)
        study.tags({f"tag{index}": str(index) for index in range(150)})

    data = read(tracker).get_run(study.run_id).data
    assert data.metrics == metrics
    assert data.params == {key: str(value) for key, value in config.items()}
    assert data.tags["tag149"] == "149"


def test_long_param_is_a_digest_and_whole_in_the_artifact(local, read, tmp_path):
    text = "ACGT" * 200

    with local.start("study") as study:
        study.config({"data": {"sequence": text, "empty": ""}})

    client = read(local)
    expected = {"data.sequence": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", "data.empty": ""}
    assert client.get_run(study.run_id).data.params == expected
    frozen = yaml.safe_load(text_of(client, study.run_id, "config.yaml", tmp_path))
    assert frozen == {"data": {"sequence": text, "empty": ""}}


def test_empty_param_is_accepted_by_a_server(tracker, read):
    with tracker.start("study") as study:
        study.config({"empty": "", "none": None, "nothing": {}})

    assert read(tracker).get_run(study.run_id).data.params == {"empty": "", "none": "null", "nothing": "{}"}


def test_numpy_numbers_and_infinity_are_metrics(tracker, read):
    with tracker.start("study") as study:
        study.metrics({"a": np.float32(0.5), "b": np.inf, "c": -np.inf, "d": np.nan}, step=np.int64(3))

    client = read(tracker)
    metrics = client.get_run(study.run_id).data.metrics
    assert metrics["a"] == 0.5
    assert metrics["b"] > 1e300
    assert metrics["c"] < -1e300
    assert math.isnan(metrics["d"])
    assert client.get_metric_history(study.run_id, "a")[0].step == 3


def test_output_names_are_made_acceptable(local, read):
    with local.start("study") as study:
        study.metrics({"test/regression/mse/log2(RNA/DNA)": 1.0})
        with pytest.raises(TrackingError, match="some are the same"):
            study.metrics({"mse/(a)": 1.0, "mse/[a]": 2.0})

    assert read(local).get_run(study.run_id).data.metrics == {"test/regression/mse/log2_RNA/DNA_": 1.0}


def test_run_variables_of_the_environment_are_not_obeyed(store_root, read, monkeypatch):
    with MLflowTracker(experiment="first", root=store_root).start("study") as first:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", first.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "first")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")

    second = MLflowTracker(experiment="second", root=store_root)
    with second.start("study") as study, study.start("member-00") as member:
        member.metrics({"train/loss": 1.0})

    client = read(second)
    assert len({first.run_id, study.run_id, member.run_id}) == 3
    assert client.get_run(member.run_id).data.tags["mlflow.parentRunId"] == study.run_id
    experiment = client.get_experiment(client.get_run(member.run_id).info.experiment_id)
    assert experiment.name == "second"
    assert client.get_run(first.run_id).data.metrics == {}
    assert not {"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"} & set(os.environ)


def test_changed_param_is_refused_with_one_line(local):
    with local.start("study") as study:
        study.config({"seed": 0})
        study.config({"seed": 0})
        with pytest.raises(TrackingError, match="did not log parameters: .*seed") as caught:
            study.config({"seed": 1})
    assert "\n" not in str(caught.value)


def test_config_of_other_objects_is_refused(local):
    with local.start("study") as study, pytest.raises(TrackingError, match="plain mappings"):
        study.config({"model": object()})


def test_missing_artifact_is_refused(local, tmp_path):
    with local.start("study") as study, pytest.raises(TrackingError, match=r"nothing\.txt.*does not exist"):
        study.artifact(tmp_path / "nothing.txt")


def test_root_belongs_to_no_run(local):
    assert local.run_id == ""
    with pytest.raises(TrackingError, match=r"tracker\.start"):
        local.metrics({"loss": 1.0})


def test_satisfies_the_protocol(local):
    assert isinstance(local, Tracker)


def test_nothing_is_printed(local, capfd):
    with local.start("study") as study:
        study.metrics({"loss": 1.0})
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
