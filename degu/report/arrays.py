"""The test split with its predictions, as one file from which figures and confidence intervals are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.data import Split
from degu.ensemble.prediction import Prediction
from degu.errors import DataError
from degu.files import DAMAGED_ARRAYS, read_arrays, whole
from degu.uncertainty import Spread

TEST_ARRAYS = "evaluation/test.npz"
"""Where a study keeps them in its folder."""
LOGO_ARRAYS = "evaluation/logos.npz"
"""Where a study keeps what its logos are drawn from."""


class HeldOut(NamedTuple):
    """Measurements and predictions of N test sequences and K targets, in the unit of the targets.

    Attributes:
        names: The K target names.
        measured: Measurements `(N, K)`; NaN where there is none.
        measured_std: Standard deviation over replicates `(N, K)`, or None.
        ensemble: The ensemble's prediction with its members; `epistemic` is a standard deviation.
        student: The student's, likewise.
    """

    names: tuple[str, ...]
    measured: NDArray
    measured_std: NDArray | None
    ensemble: Prediction
    student: Prediction


def write_test_arrays(
    folder: Path, names: Sequence[str], split: Split, ensemble: Prediction, student: Prediction, spread: Any
) -> Path:
    """Write the test split and its predictions.

    Args:
        folder: Folder of the study.
        names: The K target names.
        split: The test split.
        ensemble: The ensemble's prediction of it.
        student: The student's.
        spread: The uncertainty function whose unit the epistemic columns have. They are left out unless it is a
            `Spread`, because the unit of any other function is not known.

    Returns:
        Path of the file: arrays without pickled objects, equal byte for byte for equal contents.
    """
    arrays: dict[str, Any] = {
        "target_names": np.array(names, dtype=np.str_),
        "ids": split.ids,
        "measured": split.targets,
    }
    if split.target_std is not None:
        arrays["measured_std"] = split.target_std
    for row, prediction in (("ensemble", ensemble), ("student", student)):
        std = None
        if prediction.epistemic is not None and isinstance(spread, Spread):
            std = spread.to_std(prediction.epistemic)
        for field, values in prediction._replace(epistemic=std)._asdict().items():
            if values is not None:
                arrays[f"{row}_{field}"] = values
    path = folder / TEST_ARRAYS
    with whole(path) as partial:
        np.savez(partial, **arrays)
    return path


def read_test_arrays(folder: Path) -> HeldOut | None:
    """Read what `write_test_arrays` wrote; None where a study has no such file."""
    path = folder / TEST_ARRAYS
    if not path.is_file():
        return None
    stored = _read(path)
    try:
        names = tuple(str(name) for name in stored["target_names"])
        ensemble, student = (_prediction(stored, row) for row in ("ensemble", "student"))
        return HeldOut(names, stored["measured"], stored.get("measured_std"), ensemble, student)
    except KeyError as error:
        raise DataError(f"{path}: expected an array {error}, received {', '.join(stored) or 'none'}.") from None


def _prediction(stored: Mapping[str, Any], row: str) -> Prediction:
    parts: dict[str, Any] = {field: stored.get(f"{row}_{field}") for field in Prediction._fields}
    return Prediction(**{**parts, "mean": stored[f"{row}_mean"]})


def write_logos(folder: Path, arrays: Mapping[str, Any]) -> Path:
    """Write what logos are drawn from, the arrays of `degu.evaluation.explanations.logo_arrays`."""
    path = folder / LOGO_ARRAYS
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def read_logos(folder: Path) -> dict[str, NDArray]:
    """Read what `write_logos` wrote; empty where a study has no such file."""
    path = folder / LOGO_ARRAYS
    if not path.is_file():
        return {}
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_arrays(path)
    except DAMAGED_ARRAYS as error:
        raise DataError(f"{path}: expected arrays of a study, received a damaged file: {error}.") from error
