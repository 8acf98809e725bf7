from __future__ import annotations

import subprocess
import sys
import time

from degu.tracking.backend import load_client
from degu.tracking.store import locate

WRITER = """
import sys, time
from pathlib import Path

import mlflow

from degu.tracking import MLflowTracker

root, index = Path(sys.argv[1]), sys.argv[2]
(root.parent / f"ready-{index}").touch()
while not (root.parent / "go").exists():
    time.sleep(0.005)
with MLflowTracker(root=root).start(f"writer-{index}") as run:
    for epoch in range(30):
        run.metrics({"train/loss": epoch / 2, "valid/loss": epoch / 4}, step=epoch)
"""


def test_processes_that_meet_on_a_fresh_store_lose_nothing(tmp_path):
    root = tmp_path / "mlruns"
    command = [sys.executable, "-W", "ignore", "-c", WRITER, str(root)]
    writers = [
        subprocess.Popen([*command, str(index)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for index in range(4)
    ]
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("ready-*"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    (tmp_path / "go").touch()
    outputs = [writer.communicate(timeout=60) for writer in writers]

    assert [writer.returncode for writer in writers] == [0, 0, 0, 0], outputs
    assert outputs == [("", "")] * 4
    client = load_client(locate(None, root).uri)
    experiments = [item for item in client.search_experiments() if item.name == "degu"]
    assert len(experiments) == 1
    runs = client.search_runs([experiments[0].experiment_id])
    assert sorted(run.info.run_name for run in runs) == [f"writer-{index}" for index in range(4)]
    for run in runs:
        assert run.info.status == "FINISHED"
        for name, factor in {"train/loss": 2, "valid/loss": 4}.items():
            history = client.get_metric_history(run.info.run_id, name)
            assert sorted((entry.step, entry.value) for entry in history) == [(e, e / factor) for e in range(30)]
