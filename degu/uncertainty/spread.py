"""The spread of member predictions, as a standard deviation, a variance or a log-variance."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Unit = Literal["std", "var", "logvar"]


class Spread:
    """Spread of predictions along one axis, in a stated unit and never below a floor.

    A floor keeps the logarithm finite where members agree exactly. A single member expresses no disagreement: its
    spread is the floor.

    Args:
        unit: `"std"`, `"var"` or `"logvar"` (natural logarithm of the variance).
        ddof: Delta degrees of freedom. 1 (the default) makes ensembles of different sizes comparable; 0 is the
            population moment used by the method's published scripts (doi:10.1038/s44387-025-00053-3).
        floor: Smallest standard deviation that is reported, in the unit of the predictions.

    Raises:
        ValueError: When an argument is outside its range.

    Example:
        >>> Spread("std", ddof=0)(np.array([[1.0], [3.0]]))
        array([1.])
    """

    def __init__(self, unit: Unit = "std", ddof: int = 1, floor: float = 1e-6) -> None:
        if unit not in get_args(Unit):
            raise ValueError(f"Expected unit to be one of {get_args(Unit)}. Received: unit={unit!r}")
        if ddof not in (0, 1):
            raise ValueError(f"Expected ddof to be 0 or 1. Received: ddof={ddof!r}")
        if not floor > 0:
            raise ValueError(f"Expected floor > 0. Received: floor={floor!r}")
        self.unit = unit
        self.ddof = ddof
        self.floor = float(floor)

    def __repr__(self) -> str:
        return f"Spread(unit={self.unit!r}, ddof={self.ddof}, floor={self.floor:g})"

    def __call__(self, predictions: ArrayLike, axis: int = 0) -> NDArray:
        """Return the spread of predictions along an axis.

        Args:
            predictions: Member predictions, by convention `(M, N, K)`.
            axis: The axis of the members.

        Returns:
            An array without that axis, by convention `(N, K)`, in `unit`.
        """
        values = np.asarray(predictions)
        dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
        ddof = min(self.ddof, values.shape[axis] - 1)
        variance = values.var(axis=axis, ddof=ddof, dtype=np.float64)
        return self.from_variance(variance).astype(dtype)

    def from_variance(self, variance: Any, xp: Any = np) -> Any:
        """Return floored variances in `unit`.

        Args:
            variance: Variances of any shape.
            xp: Array namespace of `variance`: `numpy`, or `keras.ops` inside a training step.
        """
        variance = xp.maximum(variance, self.floor**2)
        if self.unit == "var":
            return variance
        return xp.sqrt(variance) if self.unit == "std" else xp.log(variance)

    def to_std(self, values: Any, xp: Any = np) -> Any:
        """Convert values in `unit` to standard deviations, floored.

        Args:
            values: Values in `unit`, any shape; a regression may have predicted them, so a negative standard
                deviation or variance is possible and becomes the floor.
            xp: Array namespace of `values`: `numpy`, or `keras.ops` inside a training step.

        Returns:
            Standard deviations of the same shape.
        """
        if self.unit == "logvar":
            return xp.maximum(xp.exp(xp.multiply(0.5, values)), self.floor)
        positive = xp.maximum(values, 0)
        return xp.maximum(xp.sqrt(positive) if self.unit == "var" else positive, self.floor)


std = Spread("std")
var = Spread("var")
logvar = Spread("logvar")
