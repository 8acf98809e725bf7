"""From output columns to mean and aleatoric standard deviation."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from degu.models.heads import output_columns
from degu.uncertainty import Spread


def split_columns(model: keras.Model, outputs: Any, xp: Any = np) -> tuple[Any, Any | None]:
    """Split the outputs of a network by the meaning of its columns.

    Args:
        model: The network; a head of `degu.models.heads` names its columns, any other column is a mean.
        outputs: `(..., columns)`.
        xp: Array namespace of `outputs`: `numpy`, or `keras.ops` inside a training step.

    Returns:
        Means `(..., K)`, and aleatoric standard deviations of the same shape or None.
    """
    columns = output_columns(model)
    groups: dict[str, list[int]] = {}
    for index, column in enumerate(columns):
        groups.setdefault(column.meaning, []).append(index)

    def group(meaning: str) -> Any:
        return xp.take(outputs, groups[meaning], axis=-1)

    if "aleatoric" in groups:
        unit = columns[groups["aleatoric"][0]].unit or "std"
        return group("mean"), Spread(unit).to_std(group("aleatoric"), xp)
    if "beta" in groups:
        return group("mean"), xp.sqrt(group("beta") / (group("alpha") - 1))
    return group("mean"), None
