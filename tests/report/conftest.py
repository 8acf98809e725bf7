import json

import numpy as np
import pytest

from degu.data import Split
from degu.ensemble import Prediction
from degu.evaluation import compare
from degu.metrics import eval_classification, eval_regression
from degu.report.arrays import write_logos, write_test_arrays
from degu.uncertainty import Spread

SIZE, LENGTH = 60, 12


def predictions(names, *, binary=False, student_error=0.5):
    """Measurements of two replicates, five members with errors of their own, and a student."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(SIZE, len(names)))
    measured = (truth > 0).astype(float) if binary else truth + 0.2 * rng.normal(size=truth.shape)
    members = truth + 0.8 * rng.normal(size=(5, *truth.shape))
    student = truth + student_error * rng.normal(size=truth.shape)
    if binary:
        members, student = (1 / (1 + np.exp(-values)) for values in (members, student))
    measured[0, 0] = np.nan
    spread = Spread("logvar")
    ensemble = Prediction(members.mean(axis=0), spread(members), None, members)
    return measured, ensemble, Prediction(student, spread(members) + 0.1)


def curves(names):
    """What an evaluation writes, for ensemble and student."""
    level = [0.5, 0.9]
    line = {"expected": level, "observed": [0.4, 0.8], "lower": [0.3, 0.7], "upper": [0.6, 1.0]}
    falling = {"removed": [0.0, 0.5], "error": [1.0, 0.8], "oracle": [1.0, 0.4], "random": [1.0, 1.0]}
    kinds = {"epistemic": [0.2, 0.41], "total_calibrated": [0.5, 0.9]}
    covered = {
        kind: {name: {"level": level, "coverage": coverage, "width": [1.0, 2.0]} for name in names}
        for kind, coverage in kinds.items()
    }
    rows = ("ensemble", "student")
    conformal = {"method": "conformal_absolute", "level": 0.9, "coverage": 0.91, "width": 2.5}
    return {
        "calibration": {row: dict.fromkeys(names, line) for row in rows},
        "coverage": dict.fromkeys(rows, covered),
        "sparsification": {row: dict.fromkeys(names, falling) for row in rows},
        "conformal": [
            {**conformal, "row": row, "target": name, "coverage_low": 0.85, "coverage_high": 0.95, "bin": bin_}
            for row in rows
            for name in names
            for bin_ in (None, 1, 2)
        ],
        "shift": [{"set": "shuffled", "row": row, "target": names[0], "epistemic_auroc": 0.4321} for row in rows],
        "consistency": [{"row": "student", "target": names[0], "rmse": 0.1234}],
    }


def logos(names, length=100):
    """Contributions of the letters of two sequences a target; those of the last 20 are the largest."""
    rng = np.random.default_rng(2)
    shape = (len(names), 2, length)
    values = 0.1 * rng.normal(size=(3, *shape)) + np.where(np.arange(length) < length - 20, 0.0, 1.0)
    return {
        "target_names": np.array(names),
        "ids": np.array([[f"{name}-{row}" for row in (0, 1)] for name in names]),
        "tokens": rng.integers(0, 4, shape, np.uint8),
        **dict(zip(("ensemble", "ensemble_sd", "student"), (values[0], np.abs(values[1]), values[2]), strict=True)),
    }


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def make_study(tmp_path):
    """Return a function that writes the folder of a study of invented predictions and returns it."""

    def make(names=("a", "b"), *, binary=False, name="invented", with_logos=False, **options):
        folder = tmp_path / "study"
        measured, ensemble, student = predictions(names, binary=binary, **options)
        family, eval_fun = ("classification", eval_classification) if binary else ("regression", eval_regression)
        metrics = compare("test", family, names, measured, ensemble, student, eval_fun)
        data = {"train_rows": 9, "valid_rows": 9, "test_rows": SIZE, "source": "invented"}
        write(folder / "results.json", {"seed": 0, "data": data, "members": 5, "metrics": metrics})
        provenance = {"started": "2026-01-02T03:04:05+00:00", "command": "degu run seed=0 'data.path=a b.tsv'"}
        write(folder / "provenance.json", {**provenance, "data.digest": "0123abcd"})
        write(folder / "timings.json", {"data": 1.5, "ensemble": 3.0})
        write(folder / "config.yaml", f"name: {json.dumps(name)}\ndata:\n  num_replicates: 2\n")
        write(folder / "evaluation" / "curves.json", curves(names))
        history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}
        for network in ("member-00", "member-01", "student"):
            write(folder / "histories" / f"{network}.json", history)
        noise = None if binary else np.full(measured.shape, 0.2, np.float32)
        tokens = np.zeros((SIZE, LENGTH), np.uint8)
        if len(names) == 1:
            measured, tokens, noise = measured[1:], tokens[1:], None if noise is None else noise[1:]
            ensemble, student = (
                Prediction(*(None if values is None else values[..., 1:, :] for values in row))
                for row in (ensemble, student)
            )
        split = Split(tokens, measured.astype(np.float32), np.arange(len(tokens)).astype(str), noise)
        write_test_arrays(folder, names, split, ensemble, student, Spread("logvar"))
        if with_logos:
            write_logos(folder, logos(names))
        return folder

    return make
