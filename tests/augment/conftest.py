import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest


@pytest.fixture
def batch():
    """One-hot DNA (400, 30, 4) without N."""
    rng = np.random.default_rng(7)
    return np.eye(4, dtype="float32")[rng.integers(0, 4, (400, 30))]


@pytest.fixture
def ladder():
    """Sequences (600, 24, 4) with p + 2 in one base of position p; new DNA, of value 1, stands out."""
    x = np.zeros((600, 24, 4), "float32")
    x[:, np.arange(24), np.arange(24) % 4] = np.arange(24) + 2
    return x
