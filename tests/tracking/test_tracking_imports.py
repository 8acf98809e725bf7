from __future__ import annotations

import subprocess
import sys

import pytest

import degu.tracking

PROBE = """
import sys
import degu.tracking, degu.provenance
from degu.tracking import NullTracker, Tracker
NullTracker()
print(sorted({"mlflow", "keras", "tensorflow"} & set(sys.modules)))
"""


def test_import_loads_neither_mlflow_nor_keras():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_exported_name_exists():
    assert all(hasattr(degu.tracking, name) for name in degu.tracking.__all__)
    assert dir(degu.tracking) == sorted(degu.tracking.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Trackr'"):
        _ = degu.tracking.Trackr
