from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from degu.errors import TrackingError
from degu.tracking import MLflowTracker, backend, store
from degu.tracking.store import locate


@pytest.fixture
def copied(local, store_root, tmp_path) -> Path:
    """Folder with a copy of a good database, to be spoilt."""
    shutil.copy(store_root / "mlflow.db", tmp_path)
    return tmp_path


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_good_copy_is_accepted(copied):
    assert MLflowTracker(root=copied).uri == f"sqlite:///{copied}/mlflow.db"


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        ("DROP TABLE alembic_version", "none"),
        ("DELETE FROM alembic_version", "none"),
        ("UPDATE alembic_version SET version_num = '451aebb31d03'", "451aebb31d03"),
    ],
    ids=["no-version-table", "no-version", "halfway"],
)
def test_half_migrated_database_is_refused_and_left_alone(copied, spoil, found):
    execute(copied, spoil)
    before = (copied / "mlflow.db").read_bytes()

    with pytest.raises(TrackingError, match=f"found {found}") as caught:
        MLflowTracker(root=copied)

    assert "move the file away" in str(caught.value)
    assert f"mlflow db upgrade sqlite:///{copied}/mlflow.db" in str(caught.value)
    assert (copied / "mlflow.db").read_bytes() == before


def test_database_that_lost_its_first_migrations_is_refused(tmp_path):
    """The state in which a crash during MLflow's own first use leaves the file."""
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{tmp_path}/mlflow.db")
    Base.metadata.create_all(engine)
    engine.dispose()

    with pytest.raises(TrackingError, match="creation was interrupted"):
        MLflowTracker(root=tmp_path)


def test_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_text("no database at all, but long enough to have a header" * 4)

    with pytest.raises(TrackingError, match=r"SQLite database at .*mlflow\.db"):
        MLflowTracker(root=tmp_path)


def test_interrupted_creation_is_started_anew(tmp_path):
    (tmp_path / ".mlflow.db.partial").write_text("half a file")

    with MLflowTracker(root=tmp_path).start("study") as study:
        assert study.run_id
    assert not (tmp_path / ".mlflow.db.partial").exists()


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(TrackingError, match="can be written to"):
        MLflowTracker(root=tmp_path / "file" / "mlruns")


def test_held_lock_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.2)

    with FileLock(tmp_path / ".store.lock"), pytest.raises(TrackingError, match=r"\.store\.lock"):
        MLflowTracker(root=tmp_path)


def test_deleted_experiment_is_refused(local, read):
    client = read(local)
    experiment = client.get_experiment_by_name(local.experiment)
    client.delete_experiment(experiment.experiment_id)

    with pytest.raises(TrackingError, match=f"--experiment-id {experiment.experiment_id}"):
        MLflowTracker(local.uri, experiment=local.experiment)


def test_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert locate(None, "mlruns").uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert locate("sqlite:///sub/my.db", "elsewhere").uri == f"sqlite:///{tmp_path}/sub/my.db"
    assert locate("sqlite:///sub/my.db", "elsewhere").folder == tmp_path / "sub"
    assert locate(f"sqlite:///{tmp_path}/x.db", "elsewhere").database == tmp_path / "x.db"
    assert locate("http://host:5000/", "elsewhere") == ("http://host:5000", None, None)


@pytest.mark.parametrize("uri", ["mlruns", "file:///data/mlruns", "sqlite://", "sqlite:///:memory:", "ftp://host"])
def test_uri_without_a_store_is_refused(uri):
    with pytest.raises(TrackingError, match="received '"):
        locate(uri, "mlruns")


def test_unreachable_server_is_reported_quickly():
    began = time.perf_counter()

    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9.*Start the server") as caught:
        MLflowTracker("http://someone:secret@127.0.0.1:9")

    assert time.perf_counter() - began < 5
    assert "secret" not in str(caught.value)


class _Broken(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def test_server_that_fails_later_raises_a_tracking_error(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Broken) as broken:
        threading.Thread(target=broken.serve_forever, daemon=True).start()
        try:
            with pytest.raises(TrackingError, match="did not look up the experiment"):
                MLflowTracker(f"http://127.0.0.1:{broken.server_port}")
        finally:
            broken.shutdown()


def test_locked_database_is_tried_again(monkeypatch):
    monkeypatch.setattr(backend, "_BACK_OFF_SECONDS", (0.001, 0.001))
    calls = []

    def locked_twice() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("database is locked")
        return "done"

    assert backend.patiently(locked_twice, "log metrics") == "done"
    assert len(calls) == 3


@pytest.mark.parametrize(("message", "expected_calls"), [("database is locked", 3), ("no such table", 1)])
def test_patience_ends(monkeypatch, message, expected_calls):
    monkeypatch.setattr(backend, "_BACK_OFF_SECONDS", (0.001, 0.001))
    calls = []

    def refuse() -> None:
        calls.append(1)
        raise OSError(f"{message}\nwith a long statement")

    with pytest.raises(TrackingError, match=f"did not log metrics: {message}$"):
        backend.patiently(refuse, "log metrics")
    assert len(calls) == expected_calls


def test_environment_of_the_user_wins(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "9")
    monkeypatch.setenv("DO_NOT_TRACK", "false")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)

    backend.prepare_environment()

    assert backend.os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "9"
    assert "MLFLOW_DISABLE_TELEMETRY" not in backend.os.environ


def test_telemetry_is_off_by_default(monkeypatch):
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)

    backend.prepare_environment()

    assert backend.os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
