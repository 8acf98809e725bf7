"""From output columns to mean and aleatoric standard deviation."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from degu.models.heads import output_columns
from degu.uncertainty import Spread


def split_columns(model: keras.Model, outputs: NDArray) -> tuple[NDArray, NDArray | None]:
    """Split the outputs of a network by the meaning of its columns.

    Args:
        model: The network; a head of `degu.models.heads` names its columns, any other column is a mean.
        outputs: `(..., columns)`.

    Returns:
        Means `(..., K)`, and aleatoric standard deviations of the same shape or None.
    """
    columns = output_columns(model)
    groups: dict[str, list[int]] = {}
    for index, column in enumerate(columns):
        groups.setdefault(column.meaning, []).append(index)
    means = outputs[..., groups["mean"]]
    if "aleatoric" in groups:
        unit = columns[groups["aleatoric"][0]].unit or "std"
        return means, Spread(unit).to_std(outputs[..., groups["aleatoric"]])
    if "beta" in groups:
        return means, np.sqrt(outputs[..., groups["beta"]] / (outputs[..., groups["alpha"]] - 1))
    return means, None
