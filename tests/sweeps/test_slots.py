"""Device slots are held by one process at a time and lost by none."""

import subprocess
import sys
import threading

import pytest

from degu.sweeps import slots

HOLDER = """
import os, sys
from degu.sweeps.slots import slot
with slot(1) as variables:
    print(variables["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(slots.tempfile, "tempdir", None)


def test_without_a_gpu_there_is_nothing_to_hold(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with slots.slot(1) as one, slots.slot(1) as other:
        assert one == other == {}


def test_every_slot_is_given_once(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, 3")
    with slots.slot(2) as a, slots.slot(2) as b, slots.slot(2) as c, slots.slot(2) as d:
        assert sorted(found["CUDA_VISIBLE_DEVICES"] for found in (a, b, c, d)) == ["3", "3", "GPU-a", "GPU-a"]
        assert a != b
        taken = threading.Event()

        def take():
            with slots.slot(2):
                taken.set()

        threading.Thread(target=take, daemon=True).start()
        assert not taken.wait(0.5)
    assert taken.wait(5)


def test_a_process_that_dies_frees_its_slot(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "0\n"
    holder.communicate("die\n")
    assert holder.returncode == -9
    with slots.slot(1) as variables:
        assert variables == {"CUDA_VISIBLE_DEVICES": "0"}
