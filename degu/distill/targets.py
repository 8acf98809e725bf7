"""What a student learns: its output columns and the matrix of their targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.ensemble.prediction import Prediction
from degu.errors import ConfigError, EnsembleError, nearest
from degu.train.units import can_fold

ValTarget = Literal["measured", "ensemble"]


class StudentColumns(NamedTuple):
    """Layout of a student's outputs: means of all targets, aleatoric of those that have it, epistemic of all.

    Attributes:
        num_targets: Number of targets K.
        aleatoric: Targets with an aleatoric column, counted from 0.
    """

    num_targets: int
    aleatoric: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """Number of output columns."""
        return 2 * self.num_targets + len(self.aleatoric)

    def weights(self, head_weights: Mapping[str, float]) -> list[float]:
        """Return a weight for every column from one for each kind.

        Args:
            head_weights: Weights of `"mean"`, `"aleatoric"` and `"epistemic"`; a kind that is left out weighs 1.

        Raises:
            ConfigError: When there is another kind.
        """
        kinds = {"mean": self.num_targets, "aleatoric": len(self.aleatoric), "epistemic": self.num_targets}
        for kind in head_weights:
            if kind not in kinds:
                raise ConfigError(f"There is no kind of column {kind!r}.{nearest(kind, kinds)} There are {list(kinds)}")
        return [float(head_weights.get(kind, 1.0)) for kind, count in kinds.items() for _ in range(count)]

    def place(self, kind: str, target: int) -> int:
        """Return the number of a column.

        Args:
            kind: `"mean"`, `"aleatoric"` or `"epistemic"`.
            target: Number of the target, from 0.

        Raises:
            ConfigError: When there is no such column.
        """
        kinds = {"mean": range(self.num_targets), "aleatoric": self.aleatoric, "epistemic": range(self.num_targets)}
        if target not in kinds.get(kind, ()):
            known = [name for name, targets in kinds.items() if target in targets]
            raise ConfigError(
                f"Expected a column of a student for target {target}, one of {known}. Received: {kind!r}."
                f"{nearest(kind, known)}"
            )
        first = {"mean": 0, "aleatoric": self.num_targets, "epistemic": self.total - self.num_targets}
        return first[kind] + list(kinds[kind]).index(target)

    def join(self, mean: Any, aleatoric: Any | None, epistemic: Any, xp: Any = np) -> Any:
        """Return columns `(N, total)` in their order.

        Args:
            mean: `(N, K)`.
            aleatoric: `(N, K)`, of which the targets in `aleatoric` are taken; None where there are none.
            epistemic: `(N, K)`.
            xp: Array namespace: `numpy`, or `keras.ops` inside a training step.
        """
        noise = [xp.take(aleatoric, list(self.aleatoric), axis=-1)] if self.aleatoric else []
        return xp.concatenate([mean, *noise, epistemic], axis=-1)

    def split(self, outputs: NDArray) -> Prediction:
        """Return the columns of a student's outputs `(N, total)` by their meaning."""
        count = self.num_targets
        mean, noise, epistemic = np.split(outputs, [count, count + len(self.aleatoric)], axis=-1)
        if not self.aleatoric:
            return Prediction(mean, epistemic)
        aleatoric = np.full_like(mean, np.nan)
        aleatoric[:, list(self.aleatoric)] = noise
        return Prediction(mean, epistemic, aleatoric)


def student_targets(columns: StudentColumns, prediction: Prediction, activity: NDArray) -> NDArray:
    """Return the target matrix of a student.

    Args:
        columns: Layout of the matrix.
        prediction: The ensemble's prediction of N sequences and K targets.
        activity: What the mean columns learn, `(N, K)`.

    Returns:
        `(N, columns.total)` float32.
    """
    assert prediction.epistemic is not None
    return columns.join(activity, prediction.aleatoric, prediction.epistemic).astype(np.float32)


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
        raise EnsembleError(
            f"Expected a student with {columns.total} outputs ({columns.num_targets} means, {len(columns.aleatoric)} "
            f"aleatoric, {columns.num_targets} epistemic). Received: {outputs}. Build it with that many outputs"
        )
    if standardize and not can_fold(student):
        raise EnsembleError(
            "Expected a student that ends in a linear Dense layer with a bias, because its targets are standardised. "
            f"Received: {student.name!r}, which does not. Use such a layer, or Distiller(..., standardize=False)"
        )
