"""Studies that are killed with SIGKILL end like those that are not; `kill_studies.py` beside this file does it."""

import subprocess
import sys
from pathlib import Path

import pytest


def kill(*options):
    script = Path(__file__).with_name("kill_studies.py")
    command = [sys.executable, str(script), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[1:]


def test_a_study_that_is_killed_three_times():
    """While the state of an epoch is written, while the weights are, and in distillation."""
    (line,) = kill("--in-a-row", "--points", "state", "weights", "log")
    assert line.count("killed with") == 3
    assert line.endswith("then equal")


@pytest.mark.slow
def test_every_named_moment():
    lines = kill("--points")
    assert all("killed with" in line for line in lines)


@pytest.mark.slow
def test_twenty_random_moments():
    lines = kill("--random", "20")
    assert sum("killed with" in line for line in lines) == 20
    assert all(line.endswith("then equal") for line in lines)
