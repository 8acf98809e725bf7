"""Targets on a common scale: mean 0, standard deviation 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from degu.data.row_files import chunks
from degu.errors import DataError

_ROWS_A_TIME = 2**16


@dataclass(frozen=True, eq=False)
class TargetScaler:
    """Shift and scale of each target.

    Attributes:
        mean: Shape (K,), in the unit of the targets.
        scale: Shape (K,), in the unit of the targets, above 0.

    Raises:
        DataError: Shapes that differ, or a scale that is not a positive number.

    Example:
        >>> scaler = TargetScaler.fit([[0.0], [4.0]])
        >>> scaler.transform(np.array([[4.0]]))
        array([[1.]])
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", np.asarray(self.mean, dtype=np.float64))
        object.__setattr__(self, "scale", np.asarray(self.scale, dtype=np.float64))
        if self.mean.ndim != 1 or self.mean.shape != self.scale.shape:
            raise DataError(
                f"scaler: expected mean and scale of one shape (K,), received {self.mean.shape} and {self.scale.shape}."
            )
        usable = np.isfinite(self.mean) & np.isfinite(self.scale) & (self.scale > 0)
        if not usable.all():
            raise DataError(
                f"scaler: expected finite means and scales above 0, received mean {self.mean.tolist()} and "
                f"scale {self.scale.tolist()}."
            )

    @classmethod
    def fit(cls, targets: npt.ArrayLike, names: Sequence[str] | None = None) -> TargetScaler:
        """Measure mean and standard deviation (ddof 0) of each target, leaving NaN out.

        Args:
            targets: Shape (N, K); NaN where a target was not measured.
            names: K names, for error messages.

        Returns:
            The scaler.

        Raises:
            DataError: A target that is never measured, or that has the same value in every row.
        """
        values = np.asarray(targets)
        if values.ndim != 2 or 0 in values.shape:
            raise DataError(f"targets: expected shape (N, K) with N and K at least 1, received {values.shape}.")
        moments = []
        for index in range(values.shape[1]):
            label = f"target {index} (counted from 0)" if names is None else f"target {names[index]!r}"
            column = values[:, index].astype(np.float64)
            _require_spread(column, label)
            moments.append((np.nanmean(column), np.nanstd(column)))
        mean, scale = np.array(moments).T
        return cls(mean, scale)

    @classmethod
    def identity(cls, num_targets: int) -> TargetScaler:
        """Return the scaler that changes nothing.

        Args:
            num_targets: K, at least 1.

        Returns:
            Mean 0 and scale 1 for each target.
        """
        return cls(np.zeros(num_targets), np.ones(num_targets))

    def transform(self, values: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Go from measured units to the common scale.

        Args:
            values: Shape (..., K).

        Returns:
            Shape (..., K), in the input's floating dtype; NaN stays NaN.

        Raises:
            DataError: A last axis that is not K.
        """
        return self._by_rows(values, lambda rows: (rows - self.mean) / self.scale)

    def inverse(self, values: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Go from the common scale back to measured units.

        Args:
            values: Shape (..., K), for instance member predictions (M, N, K).

        Returns:
            Shape (..., K), in the input's floating dtype; NaN stays NaN.

        Raises:
            DataError: A last axis that is not K.
        """
        return self._by_rows(values, lambda rows: rows * self.scale + self.mean)

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain lists that JSON keeps exactly."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> TargetScaler:
        """Rebuild a scaler from `to_dict`.

        Args:
            values: The lists ``mean`` and ``scale``.

        Returns:
            The scaler.

        Raises:
            DataError: Other keys.
        """
        if set(values) != {"mean", "scale"}:
            raise DataError(f"scaler: expected the keys 'mean' and 'scale', received {sorted(values)}.")
        return cls(np.array(values["mean"]), np.array(values["scale"]))

    def _by_rows(
        self, values: npt.ArrayLike, function: Callable[[npt.NDArray], npt.NDArray]
    ) -> npt.NDArray[np.floating]:
        """Apply a function in double precision, some rows at a time, and keep the dtype."""
        array = self._checked(values)
        mapped = np.empty(array.shape, array.dtype)
        flat, flat_mapped = array.reshape(-1, len(self.mean)), mapped.reshape(-1, len(self.mean))
        for rows in chunks(len(flat), _ROWS_A_TIME):
            flat_mapped[rows] = function(flat[rows])
        return mapped

    def _checked(self, values: npt.ArrayLike) -> npt.NDArray[np.floating]:
        array = np.asarray(values)
        if array.ndim == 0 or array.shape[-1] != len(self.mean):
            raise DataError(f"scaler: expected a last axis of {len(self.mean)} targets, received {array.shape}.")
        return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _require_spread(values: npt.NDArray[np.float64], label: str) -> None:
    measured = values[~np.isnan(values)]
    if not measured.size:
        raise DataError(f"{label}: expected measured values to scale by, received only NaN. Leave the target out.")
    if not np.isfinite(measured).all():
        raise DataError(f"{label}: expected finite values, received infinite ones.")
    if measured.min() == measured.max():
        raise DataError(
            f"{label}: expected values that differ, received {measured[0]:g} in all {measured.size} measured "
            "row(s). A constant target has no scale: leave it out."
        )
