"""Members in jobs of a real SLURM: `tests/slurm/start_slurm.sh`, then `SLURM_CONF=... pytest -m slurm`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        shutil.which("sbatch") is None or "SLURM_CONF" not in os.environ,
        reason="no SLURM here: run tests/slurm/start_slurm.sh and export SLURM_CONF",
    ),
]


def test_members_are_those_of_the_serial_ensemble_though_a_job_was_requeued(tmp_path):
    script = Path(__file__).with_name("equal_members.py")
    command = [sys.executable, str(script), "serial", "slurm", "--requeue"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was requeued while it trained, and went on" in done.stdout
    assert done.stdout.endswith("all weight files are equal\n")


def test_a_job_that_cannot_run_is_named(tmp_path):
    command = [
        *(sys.executable, "-c", "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))", "run"),
        *("experiment=smoke", "executor=slurm", "executor.partition=nowhere", "tracking=none", "device=cpu"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert "invalid partition" in done.stderr
    assert "Traceback" not in done.stderr
