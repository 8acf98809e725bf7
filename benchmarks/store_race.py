"""Many processes on one tracking store: nothing is lost, nothing is corrupt.

Two races, in a local SQLite store and on a real `mlflow server`:

* fresh: 16 processes meet on a store that does not exist yet, and each records a run.
* sweep: a driver makes a sweep's run and those of 8 jobs; 8 processes enter them and write 50,000 metrics in all.

Afterwards every run and every value is read back and compared, and SQLite checks its file (`PRAGMA integrity_check`).

    python benchmarks/store_race.py                  the local store
    python benchmarks/store_race.py --server         the server too
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from harness import announce, environment, report, table
from harness import parser as options_of

NAMES = [f"{split}/metric_{index:02d}" for split in ("train", "valid") for index in range(25)]
WAIT_SECONDS = 600


def value(job: int, name: int, step: int) -> float:
    """Return the number that a job records, different for each."""
    return job * 1e6 + name * 1e4 + step


def write(uri: str | None, root: Path, run_id: str, job: int, steps: int) -> None:
    """Be one process: wait for the start, then record a run."""
    import mlflow  # noqa: F401

    from degu.tracking import MLflowTracker, ScheduledTracker

    (root.parent / f"ready-{job}").touch()
    while not (root.parent / "go").exists():
        time.sleep(0.005)
    tracker = MLflowTracker(uri, root=root)
    with (ScheduledTracker(tracker, run_id) if run_id else tracker).start(f"writer-{job}") as run:
        for step in range(steps):
            run.metrics({name: value(job, index, step) for index, name in enumerate(NAMES)}, step=step)


def race(folder: Path, uri: str | None, run_ids: Sequence[str], steps: int) -> float:
    """Start one process a run at the same moment and return the seconds that they took."""
    for path in (*folder.glob("ready-*"), *folder.glob("go")):
        path.unlink()
    command = [sys.executable, __file__, "--root", str(folder / "mlruns"), "--steps", str(steps)]
    command += ["--uri", uri] if uri else []
    writers = [
        subprocess.Popen([*command, "--job", str(job), "--run-id", run_id]) for job, run_id in enumerate(run_ids)
    ]
    while len(list(folder.glob("ready-*"))) < len(writers) and all(writer.poll() is None for writer in writers):
        time.sleep(0.05)
    start = time.perf_counter()
    (folder / "go").touch()
    codes = [writer.wait(WAIT_SECONDS) for writer in writers]
    if any(codes):
        sys.exit(f"Processes ended with {codes}")
    return time.perf_counter() - start


def check(folder: Path, uri: str | None, run_ids: Sequence[str], steps: int) -> int:
    """Read everything back; return the number of values, or end the program at the first that is wrong."""
    from degu.tracking.backend import load_client
    from degu.tracking.store import locate

    client = load_client(locate(uri, folder / "mlruns").uri)
    (experiment,) = [found for found in client.search_experiments() if found.name == "degu"]
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    expected = len(run_ids) + (1 if run_ids[0] else 0)
    if len(runs) != expected or {run.info.status for run in runs} != {"FINISHED"}:
        sys.exit(f"Expected {expected} finished runs, found {[run.info.status for run in runs]}")
    found = 0
    for run in runs:
        if not run.data.metrics:
            continue
        job = run_ids.index(run.info.run_id) if run_ids[0] else int(run.info.run_name.split("-")[1])
        for index, name in enumerate(NAMES):
            history = client.get_metric_history(run.info.run_id, name)
            values = sorted((entry.step, entry.value) for entry in history)
            if values != [(step, value(job, index, step)) for step in range(steps)]:
                sys.exit(f"{run.info.run_name}: {name} has {len(values)} of {steps} values, or other ones")
            found += len(values)
    database = folder / ("server.db" if uri else "mlruns/mlflow.db")
    with closing(sqlite3.connect(database)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        sys.exit(f"{database}: {verdict}")
    return found


@contextmanager
def scheduled(folder: Path, uri: str | None, count: int) -> Iterator[list[str]]:
    """Be the driver of a sweep: make its run and those of its jobs."""
    from degu.tracking import MLflowTracker

    with MLflowTracker(uri, root=folder / "mlruns").start("sweep") as sweep:
        yield [sweep.create(f"job {job}") for job in range(count)]


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run an MLflow server on an empty database and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=quiet, start_new_session=True)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    break
            except OSError:
                time.sleep(0.2)
        else:
            sys.exit(f"The server did not start:\n{(folder / 'server.log').read_text()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def races(folder: Path, uri: str | None, options: argparse.Namespace) -> list[list[object]]:
    """Run both races and return a line about each."""
    where = "server" if uri else "local store"
    fresh, jobs = folder / "fresh", folder / "sweep"
    rows: list[list[object]] = []
    for home in (fresh, jobs):
        home.mkdir()
    if not uri:
        seconds = race(fresh, None, [""] * options.processes, 1)
        rows.append([where, "fresh", options.processes, check(fresh, None, [""] * options.processes, 1), seconds])
    steps = options.metrics // (options.jobs * len(NAMES))
    home = folder if uri else jobs
    with scheduled(home, uri, options.jobs) as run_ids:
        seconds = race(home, uri, run_ids, steps)
    rows.append([where, "sweep", options.jobs, check(home, uri, run_ids, steps), seconds])
    return rows


def fresh_server(folder: Path, uri: str, processes: int) -> list[object]:
    """Let processes meet on a server without the experiment."""
    seconds = race(folder, uri, [""] * processes, 1)
    return ["server", "fresh", processes, check(folder, uri, [""] * processes, 1), seconds]


def main() -> None:
    """Run the races and print what was read back."""
    made = options_of(__doc__)
    made.add_argument("--server", action="store_true", help="race on a real MLflow server too")
    made.add_argument("--processes", type=int, default=16, help="that meet on a fresh store")
    made.add_argument("--jobs", type=int, default=8, help="of the sweep")
    made.add_argument("--metrics", type=int, default=50_000, help="of all jobs together")
    for name, kind in {"--uri": str, "--root": Path, "--run-id": str, "--job": int, "--steps": int}.items():
        made.add_argument(name, type=kind, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.job is not None:
        write(options.uri, options.root, options.run_id, options.job, options.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "local"
        local.mkdir()
        rows = races(local, None, options)
        if options.server:
            for name in ("first", "second"):
                home = Path(folder) / name
                home.mkdir()
                with server(home) as uri:
                    found = [fresh_server(home, uri, options.processes)] if name == "first" else None
                    rows += found or races(home, uri, options)
    headers = ["store", "race", "processes", "values read back", "seconds"]
    print(table(headers, rows), end="\n\n")
    print("no run lost, no value lost or changed, integrity_check ok")
    found = environment("mlflow", "sqlalchemy")
    announce(found)
    report(options, {"races": [dict(zip(headers, row, strict=True)) for row in rows]}, found)


if __name__ == "__main__":
    main()
