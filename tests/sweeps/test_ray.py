"""A sweep on a real, local Ray. Marker `ray`: pip install -r requirements-ray.txt."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = [
    *("experiment=smoke", "device=cpu", "data.num_train=48", "data.num_valid=30", "data.num_test=30", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "trainer.max_epochs=1", "distill.trainer.max_epochs=1", "tracking=mlflow"),
    *("evaluation.uncertainty=null", "evaluation.calibration=null", "evaluation.shift=null"),
    "evaluation.attribution=null",
]
COMMAND = "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))"


def degu(folder, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", COMMAND, "run", "-m", *TINY, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=580
    )


@pytest.mark.ray
def test_a_sweep_on_ray(tmp_path):
    done = degu(tmp_path, "launcher=ray", "hydra.launcher.num_cpus=1", "seed=0,1", "ensemble.num_ensemble=2,1")
    assert done.returncode == 1, done.stderr
    *jobs, summary = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert summary["failed"] == [1, 3]
    assert [job["job"] for job in jobs] == [0, 2]
    results = json.loads((Path(jobs[1]["output_dir"]) / "results.json").read_text())
    assert results["objective"]["value"] == jobs[1]["objective"]
    assert results["seed"] == 1


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_message_says_what_to_install(tmp_path):
    done = degu(tmp_path, "launcher=ray", "seed=0,1", "tracking=none")
    assert done.returncode == 2
    assert "pip install -r requirements-ray.txt" in done.stderr
    assert "Traceback" not in done.stderr
