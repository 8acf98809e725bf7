"""Serial and stacked training end with the same weights, in single and double precision, on both backends."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("equality.py")
NEEDS_JAX = [
    pytest.mark.jax,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the jax extra"),
]


@pytest.mark.parametrize(
    ("backend", "precision", "tolerance"),
    [
        ("tensorflow", "float64", 1e-8),
        ("tensorflow", "float32", 1e-3),
        pytest.param("jax", "float64", 1e-8, marks=NEEDS_JAX),
        pytest.param("jax", "float32", 1e-3, marks=NEEDS_JAX),
    ],
)
def test_weights_and_metrics_agree_after_fifty_steps(tmp_path, backend, precision, tolerance):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), precision],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["steps"] >= 50
    assert result["distance"] < tolerance
    assert result["mse"]["stacked"] == pytest.approx(result["mse"]["serial"], rel=1e-4)
