"""From output columns to mean and aleatoric standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from degu.models.head_layers import Column
from degu.models.heads import output_columns
from degu.uncertainty import Spread


def split_columns(model: keras.Model, outputs: Any, xp: Any = np) -> tuple[Any, Any | None]:
    """Split the outputs of a network by the meaning of its columns.

    Args:
        model: The network; a head of `degu.models.heads` names its columns, any other column is a mean.
        outputs: `(..., columns)`.
        xp: Array namespace of `outputs`: `numpy`, or `keras.ops` inside a training step.

    Returns:
        Means `(..., K)`, and aleatoric standard deviations of the same shape or None. A target without an aleatoric
        column has NaN there.
    """
    columns = output_columns(model)
    means = {column.target: outputs[..., index] for index, column in enumerate(columns) if column.meaning == "mean"}
    noise = _noise(columns, outputs, xp)
    mean = xp.stack(list(means.values()), axis=-1)
    if not noise:
        return mean, None
    missing = xp.full_like(mean[..., 0], np.nan)
    return mean, xp.stack([noise.get(target, missing) for target in means], axis=-1)


def aleatoric_targets(model: keras.Model) -> tuple[int, ...]:
    """Return the targets whose measurement noise a network predicts, in order."""
    columns = output_columns(model)
    return tuple(sorted(column.target for column in columns if column.meaning in ("aleatoric", "beta")))


def _noise(columns: Sequence[Column], outputs: Any, xp: Any) -> dict[int, Any]:
    """Return the standard deviation of the measurements by target."""
    noise = {}
    for index, column in enumerate(columns):
        if column.meaning == "aleatoric":
            noise[column.target] = Spread(column.unit or "std").to_std(outputs[..., index], xp)
        elif column.meaning == "beta":
            alpha = outputs[..., columns.index(Column(column.target, "alpha"))]
            noise[column.target] = xp.sqrt(outputs[..., index] / (alpha - 1))
    return noise
