"""What a student learns: its output columns and the matrix of their targets."""

from __future__ import annotations

from typing import Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.ensemble.prediction import Prediction
from degu.errors import EnsembleError
from degu.train.units import can_fold

ValTarget = Literal["measured", "ensemble"]


class StudentColumns(NamedTuple):
    """Layout of a student's outputs: means of all targets, then aleatoric if the teachers have it, then epistemic.

    Attributes:
        num_targets: Number of targets K.
        has_aleatoric: Whether there is a group of K aleatoric columns.
    """

    num_targets: int
    has_aleatoric: bool = False

    @property
    def total(self) -> int:
        """Number of output columns."""
        return self.num_targets * (3 if self.has_aleatoric else 2)

    def split(self, outputs: NDArray) -> Prediction:
        """Return the columns of a student's outputs `(N, total)` by their meaning."""
        groups = np.split(outputs, self.total // self.num_targets, axis=-1)
        return Prediction(groups[0], epistemic=groups[-1], aleatoric=groups[1] if self.has_aleatoric else None)


def student_targets(prediction: Prediction, activity: NDArray) -> NDArray:
    """Return the target matrix of a student, in the order of `StudentColumns`.

    Args:
        prediction: The ensemble's prediction of N sequences and K targets.
        activity: What the mean columns learn, `(N, K)`.

    Returns:
        `(N, 2K)` or `(N, 3K)` float32.
    """
    assert prediction.epistemic is not None
    middle = [] if prediction.aleatoric is None else [prediction.aleatoric]
    return np.concatenate([activity, *middle, prediction.epistemic], axis=1).astype(np.float32)


def training_activity(prediction: Prediction, measured: ArrayLike, alpha: float) -> NDArray:
    """Return what the mean columns learn: `alpha * measured + (1 - alpha) * ensemble mean`.

    A target that was not measured (NaN) takes the ensemble's mean alone.

    Args:
        prediction: The ensemble's prediction of the training sequences.
        measured: Measurements `(N, K)`.
        alpha: Share of the measurement, in [0, 1]; the published method uses 0.
    """
    measured = np.asarray(measured)
    share = np.where(np.isfinite(measured), alpha, 0.0)
    return share * np.nan_to_num(measured) + (1 - share) * prediction.mean


def validation_activity(prediction: Prediction, measured: ArrayLike, val_target: ValTarget) -> NDArray:
    """Return what the mean columns are validated against: measurements, or the ensemble's mean."""
    return np.asarray(measured) if val_target == "measured" else prediction.mean


def check_student(columns: StudentColumns, student: keras.Model, standardize: bool) -> None:
    """Check that a student can learn its columns.

    Raises:
        EnsembleError: When it has another number of outputs, or ends in a layer that cannot take in the targets'
            units although they are standardised.
    """
    outputs = student.output_shape[-1]
    if outputs != columns.total:
        groups = "means, aleatoric and epistemic" if columns.has_aleatoric else "means and epistemic"
        raise EnsembleError(
            f"Expected a student with {columns.total} outputs ({groups} of {columns.num_targets} targets). "
            f"Received: {outputs}. Build it with that many outputs"
        )
    if standardize and not can_fold(student):
        raise EnsembleError(
            "Expected a student that ends in a linear Dense layer with a bias, because its targets are standardised. "
            f"Received: {student.name!r}, which does not. Use such a layer, or Distiller(..., standardize=False)"
        )
