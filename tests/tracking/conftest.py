from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from degu.tracking import MLflowTracker
from degu.tracking.backend import load_client

SERVER_SECONDS = 240


@pytest.fixture(scope="session")
def store_root(tmp_path_factory) -> Path:
    """Folder of one local store; making a database for every test would take most of the time."""
    return tmp_path_factory.mktemp("a store") / "mlruns"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address of a real MLflow server."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def _wait(health: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the MLflow server did not start:\n{log.read_text()}")


@pytest.fixture(params=["local", "server"])
def tracker(request, store_root) -> MLflowTracker:
    """The root of a local store, then that of a server, each with an experiment of its own."""
    uri = request.getfixturevalue("server") if request.param == "server" else None
    return MLflowTracker(uri, experiment=request.node.name, root=store_root)


@pytest.fixture
def local(request, store_root) -> MLflowTracker:
    return MLflowTracker(experiment=request.node.name, root=store_root)


@pytest.fixture
def read():
    """Return an MLflow client that reads back what a tracker wrote."""
    return lambda tracker: load_client(tracker.uri)
