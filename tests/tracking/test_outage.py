"""A tracking server that dies in the middle of a study: training goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from degu.errors import TrackingError
from degu.tracking import MLflowTracker
from degu.tracking.backend import Unreachable, load_client, patiently
from degu.tracking.calls import UID_TAG
from degu.tracking.outbox import UNSENT
from degu.tracking.syncing import sync_study


class Server:
    """A real MLflow server that can be killed and started again on the same port and store."""

    def __init__(self, folder) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        pytest.fail((self.folder / "log").read_text())

    def kill(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
            self.process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("a server"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(autouse=True)
def few_retries(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("degu.tracking.outbox._LONGEST_PAUSE", 1.0)


def series(client, run_id, name):
    return [(point.step, point.value) for point in client.get_metric_history(run_id, name)]


def children(client, run):
    condition = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    return {child.info.run_name: child for child in client.search_runs([run.info.experiment_id], condition)}


def begin(server, folder, experiment):
    folder.mkdir()
    tracker = MLflowTracker(server.uri, experiment)
    tracker.keep_unsent(folder)
    return tracker


def epochs(run, count, start=0):
    for epoch in range(start, start + count):
        run.metrics({"train/loss": 1 / (1 + epoch), "valid/loss": float(epoch)}, step=epoch)
        run.flush()


def test_a_server_that_dies_and_comes_back(server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    tracker = begin(server, tmp_path / "study", "dies")
    (tmp_path / "study" / "results.json").write_text("{}")
    with tracker.start("study", {"degu.kind": "study"}) as study:
        study.config({"seed": 0})
        with study.start("member-00") as member:
            epochs(member, 3)
            server.kill()
            began = time.monotonic()
            epochs(member, 20, start=3)
        with study.start("member-01") as other:
            epochs(other, 2)
            assert other.run_id.startswith("pending-")
        study.metrics({"test/regression/mse/ensemble/Dev": 0.5})
        study.artifact(tmp_path / "study" / "results.json")
        assert time.monotonic() - began < 15
        server.start()
        deadline = time.monotonic() + 30
        while list((tmp_path / "study" / UNSENT).glob("*.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.1)
        study.tags({"late": "yes"})
    client = load_client(server.uri)
    run = client.get_run(study.run_id)
    assert (run.info.status, run.data.tags["late"]) == ("FINISHED", "yes")
    assert run.data.metrics == {"test/regression/mse/ensemble/Dev": 0.5}
    assert {item.path for item in client.list_artifacts(study.run_id)} == {"config.yaml", "results.json"}
    found = children(client, run)
    assert set(found) == {"member-00", "member-01"}
    assert found["member-01"].info.run_id == other.run_id
    assert {child.info.status for child in found.values()} == {"FINISHED"}
    for name, count in (("member-00", 23), ("member-01", 2)):
        run_id = found[name].info.run_id
        assert series(client, run_id, "train/loss") == [(epoch, 1 / (1 + epoch)) for epoch in range(count)]
        assert series(client, run_id, "valid/loss") == [(epoch, float(epoch)) for epoch in range(count)]
    assert [record.message[:36] for record in caplog.records if record.levelname == "WARNING"] == [
        "The tracking store does not answer; "
    ]
    assert "The tracking store is back" in caplog.text
    assert not list((tmp_path / "study" / UNSENT).glob("*.jsonl"))


def test_a_server_that_stays_away_is_caught_up_with_later(server, tmp_path, caplog):
    folder = tmp_path / "study"
    tracker = begin(server, folder, "stays away")
    other = tmp_path / "other.txt"
    other.write_text("made before, gone later")
    with tracker.start("study") as study:
        server.kill()
        epochs(study, 4)
        study.artifact(other)
        other.unlink()
        with study.start("student") as student:
            student.metrics({"a": 1.0})
    assert f"degu runs sync {folder}" in caplog.text
    lines = [json.loads(line) for path in (folder / UNSENT).glob("*.jsonl") for line in path.read_text().splitlines()]
    assert [line["do"] for line in lines] == [*["batch"] * 4, "artifact", "create", "batch", "status", "status"]
    with pytest.raises(TrackingError, match="Expected an MLflow server"):
        sync_study(folder)
    server.start()
    assert sync_study(folder) == 9
    assert sync_study(folder) == 0
    client = load_client(server.uri)
    run = client.get_run(study.run_id)
    assert run.info.status == "FINISHED"
    assert series(client, study.run_id, "train/loss") == [(epoch, 1 / (1 + epoch)) for epoch in range(4)]
    assert children(client, run)["student"].data.metrics == {"a": 1.0}
    assert [item.path for item in client.list_artifacts(study.run_id)] == ["other.txt"]


def test_calls_that_arrived_without_an_answer_are_not_doubled(server, tmp_path):
    """The worst moment: the server has written, and dies before it says so."""
    tracker = begin(server, tmp_path / "study", "twice")
    with tracker.start("study") as study:
        outbox = tracker._outbox
        call = {"do": "create", "uid": "0" * 32, "experiment": tracker._experiment_id, "name": "member-00"}
        call |= {"tags": {}, "parent": study.run_id, "time": 5}
        outbox.call(call)
        with outbox._changing:
            pending = outbox._keep({**call, "again": True})
            metrics = {"do": "batch", "run": pending, "purpose": "log metrics", "metrics": [["a", 1.0, 7, 0]]}
            outbox._keep(metrics)
            outbox._keep(metrics)
        (tmp_path / "study" / UNSENT / "store.json").write_text(json.dumps({"uri": server.uri}))
        assert outbox.deliver() == 3
    client = load_client(server.uri)
    (only,) = children(client, client.get_run(study.run_id)).values()
    assert only.data.tags[UID_TAG] == "0" * 32
    assert series(client, only.info.run_id, "a") == [(0, 1.0)]
    assert outbox.known(pending) == only.info.run_id


def test_the_next_sitting_catches_up_first(server, tmp_path):
    folder = tmp_path / "study"
    code = (
        "import os, sys; from pathlib import Path; from degu.tracking import MLflowTracker\n"
        "tracker = MLflowTracker(sys.argv[1], 'sittings'); tracker.keep_unsent(Path(sys.argv[2]))\n"
        "run = tracker.start('study').__enter__(); print(run.run_id, flush=True); input()\n"
        "for epoch in range(3):\n    run.metrics({'a': epoch}, step=epoch); run.flush()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    killed = subprocess.Popen(
        [sys.executable, "-c", code, server.uri, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    run_id = killed.stdout.readline().strip()
    server.kill()
    killed.communicate("go\n", timeout=60)
    assert killed.returncode == -9
    (queue,) = (folder / UNSENT).glob("*.jsonl")
    with queue.open("a") as file:
        file.write('{"do": "batch", "ru')
    server.start()
    tracker = MLflowTracker(server.uri, "sittings")
    tracker.keep_unsent(folder)
    with tracker.attach(run_id) as study:
        study.metrics({"a": 3.0}, step=3)
    assert series(load_client(server.uri), run_id, "a") == [(epoch, float(epoch)) for epoch in range(4)]
    assert not list((folder / UNSENT).glob("*.jsonl"))


def test_a_run_that_is_entered_again_while_the_server_is_away(server, tmp_path):
    """A member's epochs are offered again at the end of the study, and once more by another sitting."""
    folder = tmp_path / "study"
    tracker = begin(server, folder, "again")
    with tracker.start("study") as study:
        run_id = study.create("member-00")
        with study.attach(run_id) as member:
            epochs(member, 2)
            server.kill()
            epochs(member, 2, start=2)
        with study.attach(run_id) as member:
            epochs(member, 5)
            member.metrics({"test/regression/mse/Dev": 0.5})
    sitting = MLflowTracker.__new__(MLflowTracker)
    sitting.__dict__ |= {**tracker.__dict__, "_known": {}}
    sitting.keep_unsent(folder)
    with sitting.attach(run_id) as member:
        epochs(member, 6)
        member.metrics({"test/regression/mse/Dev": 0.5})
    server.start()
    assert sync_study(folder) > 0
    client = load_client(server.uri)
    assert series(client, run_id, "train/loss") == [(epoch, 1 / (1 + epoch)) for epoch in range(6)]
    assert series(client, run_id, "test/regression/mse/Dev") == [(0, 0.5)]


def test_without_a_folder_a_dead_server_ends_the_study(server, tmp_path):
    tracker = MLflowTracker(server.uri, "no folder")
    with tracker.start("study") as study:
        server.kill()
        with pytest.raises(Unreachable):
            study.metrics({"a": 1.0})
        server.start()
        study._waiting.clear()


def test_a_refused_call_is_an_error_and_is_not_kept(server, tmp_path):
    tracker = begin(server, tmp_path / "study", "refuses")
    with tracker.start("study") as study:
        study.config({"seed": 0})
        with pytest.raises(TrackingError, match="did not log parameters"):
            study.config({"seed": 1})
    assert not (tmp_path / "study" / UNSENT).exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), TimeoutError("timed out")])
def test_a_full_disk_may_pass(error):
    def fail():
        raise error

    with pytest.raises(Unreachable):
        patiently(fail, "log metrics")


@pytest.mark.slow
def test_a_whole_study_outlives_its_server(server, tmp_path):
    settings = [
        *("experiment=smoke", "device=cpu", "data.num_train=64", "data.num_valid=30", "data.num_test=40"),
        *("data.length=40", "model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "ensemble.engine=serial"),
        *("trainer.max_epochs=40", "trainer.es_patience=40", "distill.trainer.max_epochs=20", "evaluation=brief"),
        *(f"tracking.uri={server.uri}", "tracking.experiment=whole", "hydra.run.dir=study"),
    ]
    code = "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "run", *settings]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as study:
        heard = []

        def wait_for(words):
            for line in study.stderr:
                heard.append(line)
                if words in line:
                    return
            pytest.fail("".join(heard))

        wait_for("member 1/2: epoch 3/")
        server.kill()
        wait_for("student: epoch 3/")
        server.start()
        out, err = study.communicate(timeout=300)
    assert study.returncode == 0, "".join(heard) + err
    summary = json.loads(out.splitlines()[-1])
    sync_study(tmp_path / "study")
    client = load_client(server.uri)
    run = client.get_run(summary["run_id"])
    found = children(client, run)
    assert set(found) == {"member-00", "member-01", "student"}
    assert {each.info.status for each in [run, *found.values()]} == {"FINISHED"}
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    recorded = run.data.metrics
    assert {key: recorded[key] for key in results["metrics"]} == pytest.approx(results["metrics"])
    for name, child in found.items():
        history = json.loads((tmp_path / "study" / "histories" / f"{name}.json").read_text())
        losses = [value for _, value in series(client, child.info.run_id, "train/loss")]
        assert losses == pytest.approx(history["loss"])
        assert len(losses) >= 10
