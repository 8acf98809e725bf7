"""Live teachers: inside the training step, the ensemble labels the augmented batch that the student sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from degu.augment import Augmentation
from degu.data.scaling import TargetScaler
from degu.distill.targets import StudentColumns
from degu.ensemble.outputs import aleatoric_targets, split_columns
from degu.errors import ConfigError
from degu.fused import inference_form
from degu.fused.graph import is_functional
from degu.uncertainty import Spread, pooled_std


class _Untracked:
    """Holds the teachers out of Keras' sight, so that they are neither trained, saved nor restored."""

    def __init__(self, networks: Sequence[keras.Model]) -> None:
        self.networks = networks


def check_live(spread: Any, augmentation: Augmentation) -> None:
    """Check that a batch can be labelled in the step.

    Raises:
        ConfigError: When `spread` is no `Spread`, or the augmentation lengthens sequences.
    """
    if not isinstance(spread, Spread):
        raise ConfigError(
            f"Expected a degu.uncertainty.Spread as uncertainty_fun of dynamic distillation, such as "
            f"degu.utils.logvar. Received: {spread!r}"
        )
    if augmentation.added_length:
        raise ConfigError(
            f"Expected augmentations that keep the length in dynamic distillation, because the teachers label what the "
            f"student sees. Received: {augmentation.added_length} bases added. Leave out insertions, or use a list "
            "without them, such as augment@distill.augment=random"
        )


class LiveTeaching(keras.Model):
    """A student whose training targets are computed in the step from the batch that it sees.

    In training, the batch is augmented and every row, original or not, is labelled by all teachers in inference mode;
    the targets given to `fit` are not looked at. In validation and prediction this is the student itself, and a model
    file holds the student alone.

    Args:
        student: Trained in place; its outputs are laid out as in `StudentColumns`.
        teachers: Members in the targets' units; their weights are constants of the step, which computes them in
            inference form where their layers are known.
        augmentation: Changes the batch.
        spread: Unit of the epistemic columns.
        scaler: Standardisation of the student's columns.
        append: True for the batch followed by its augmented form, False for the augmented form alone.

    Raises:
        ConfigError: When `spread` is another function, or the augmentation lengthens sequences.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """

    can_be_stacked = False

    def __init__(
        self,
        student: keras.Model,
        teachers: Sequence[keras.Model],
        augmentation: Augmentation,
        spread: Any,
        scaler: TargetScaler,
        append: bool = False,
    ) -> None:
        super().__init__(name=f"live_{student.name}")
        check_live(spread, augmentation)
        self.student = student
        self.augmentation = augmentation
        self.spread = spread
        self.append = append
        self._shift = ops.convert_to_numpy(scaler.mean)
        self._scale = ops.convert_to_numpy(scaler.scale)
        self._teachers = _Untracked([inference_form(net) if is_functional(net) else net for net in teachers])

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build the augmentation; the student is built."""
        self.augmentation.build(input_shape)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the student's outputs; in training, followed by their targets as further columns."""
        if not training:
            return self.student(x, training=False)
        seen = self.augmentation(x, training=True)
        if self.append:
            seen = ops.concatenate([x, seen], axis=0)
        outputs = self.student(seen, training=True)
        return ops.concatenate([outputs, ops.cast(self.teach(seen), outputs.dtype)], axis=-1)

    def teach(self, x: Any) -> Any:
        """Return the standardised targets `(B, columns)` of a batch `(B, L, 4)`."""
        networks = self._teachers.networks
        outputs = ops.stack([network(x, training=False) for network in networks])
        means, aleatoric = split_columns(networks[0], outputs, ops)
        ddof = min(self.spread.ddof, len(networks) - 1)
        variance = ops.var(means, axis=0) * (len(networks) / (len(networks) - ddof))
        noise = None if aleatoric is None else pooled_std(aleatoric, xp=ops)
        columns = StudentColumns(means.shape[-1], aleatoric_targets(networks[0]))
        targets = columns.join(ops.mean(means, axis=0), noise, self.spread.from_variance(variance, ops), ops)
        return ops.stop_gradient((targets - self._shift) / self._scale)

    def save(self, filepath: str | Path, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Save the student as a model of its own; the arguments are those of `keras.Model.save`."""
        self.student.save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the loss against the live targets in training, against the given ones otherwise."""
        y, y_pred, sample_weight = self._pair(y, y_pred, sample_weight, training)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Return the metrics against the targets that the loss is computed with."""
        is_training = y_pred.shape[-1] != self.student.output_shape[-1]
        y, y_pred, sample_weight = self._pair(y, y_pred, sample_weight, is_training)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _pair(self, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> tuple[Any, Any, Any]:
        if not training:
            return y, y_pred, sample_weight
        outputs, targets = ops.split(y_pred, 2, axis=-1)
        if self.append and sample_weight is not None:
            sample_weight = ops.concatenate([sample_weight, sample_weight], axis=0)
        return targets, outputs, sample_weight
