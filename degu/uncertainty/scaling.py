"""Variance scaling: one factor a target that makes predicted standard deviations as large as the errors are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.columns import as_columns, measured_columns
from degu.uncertainty.checks import check_errors, check_keys, check_stds
from degu.uncertainty.rows import CalibrationRows


@dataclass(frozen=True, eq=False)
class VarianceScaling:
    """Predicted standard deviations times a factor.

    The factor `sqrt(mean((error / std)^2))` is the one of the smallest Gaussian negative log-likelihood on the
    calibration rows, in closed form. It mends a standard deviation that is too small or too large everywhere, and
    leaves the order of the sequences as it is.

    Attributes:
        factors: Shape (K,), above 0.
        rows: What it was fitted on.

    References:
        Levi, Gispan, Giladi, Fetaya (2022), doi:10.3390/s22155540.
        Laves, Ihler, Fast, Kahrs, Ortmaier (2021), doi:10.59275/j.melba.2021-a6fd (the closed form).
    """

    factors: NDArray
    rows: CalibrationRows

    @classmethod
    def fit(
        cls,
        mean: ArrayLike,
        std: ArrayLike,
        targets: ArrayLike,
        *,
        rows: ArrayLike,
        used: Mapping[str, ArrayLike],
        names: Sequence[str] | None = None,
    ) -> VarianceScaling:
        """Fit the factors.

        Args:
            mean: Predicted means of the calibration rows, `(N, K)`.
            std: Predicted standard deviations above 0, `(N, K)`.
            targets: Measurements `(N, K)`; NaN means not measured.
            rows: Digests of the calibration rows, `(N,)`, from `row_digests`.
            used: Digests of the rows of training and early stopping, by name.
            names: K names for messages.

        Raises:
            ValueError: When shapes differ, or a standard deviation is not a number above 0.
            CalibrationError: When a row was used before, or a target has no measured row or no error at all.
        """
        claimed = CalibrationRows.claim(rows, len(as_columns(targets)), used)
        predictions = {"means": mean, "standard deviations": std}
        columns = measured_columns(predictions, targets, names)
        factors = [_factor(target - center, spread, name) for name, target, (center, spread) in columns]
        return cls(np.array(factors), claimed)

    def transform(self, std: ArrayLike, *, rows: ArrayLike | None) -> NDArray:
        """Return scaled standard deviations.

        Args:
            std: `(N, K)`.
            rows: Digests of the rows, `(N,)`; None for sequences that nothing was measured on.

        Raises:
            ValueError: When the number of targets differs.
            CalibrationError: When a row was calibrated on.
        """
        values = np.asarray(std)
        if values.ndim != 2 or values.shape[1] != len(self.factors):
            raise ValueError(f"Expected standard deviations (N, {len(self.factors)}). Received: {values.shape}")
        self.rows.require_new(rows, len(values))
        return values * self.factors

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists that JSON keeps exactly."""
        return {"factors": self.factors.tolist(), "rows": list(self.rows.digests)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VarianceScaling:
        """Rebuild from `to_dict`.

        Raises:
            ValueError: Other keys.
        """
        check_keys(values, ("factors", "rows"), "variance scaling")
        return cls(np.array(values["factors"]), CalibrationRows(tuple(values["rows"])))


def _factor(error: NDArray, std: NDArray, name: str) -> float:
    check_stds(std, name)
    check_errors(error, name)
    return float(np.sqrt(np.mean((error / std) ** 2)))
