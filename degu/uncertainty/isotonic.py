"""Isotonic recalibration: a monotone map from predicted to observed probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.errors import CalibrationError
from degu.metrics.columns import as_columns, measured_columns
from degu.metrics.intervals import Interval, check_confidence_level
from degu.uncertainty.checks import check_keys, check_stds
from degu.uncertainty.rows import CalibrationRows


@dataclass(frozen=True, eq=False)
class IsotonicRecalibration:
    """Predictive distributions of the shape that standardised errors have on the calibration rows.

    Recalibration replaces a predicted probability by the share of calibration measurements at or below that
    probability. These shares rise with the probability, so their isotonic regression is the shares themselves, and
    nothing needs to be optimised. The map is kept as sorted standardised errors `z`, which do not saturate in the
    tails: the recalibrated quantile of probability `i / (n + 1)` is `mean + std * z[i]`, with linear interpolation in
    between. With `n + 1` the quantiles are those of a conformal predictive system.

    It mends skew, heavy tails and a constant bias as well as the scale, for all sequences alike. Quantiles beyond
    `1 / (n + 1)` on either side are infinite.

    Attributes:
        errors: For each target its n standardised errors, increasing.
        rows: What it was fitted on.

    References:
        Kuleshov, Fenner, Ermon (2018), "Accurate uncertainties for deep learning using calibrated regression",
        arXiv:1807.00263. Vovk, Nouretdinov, Manokhin, Gammerman (2018), "Cross-conformal predictive distributions",
        PMLR 91:37-51.
    """

    errors: tuple[NDArray, ...]
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
    ) -> IsotonicRecalibration:
        """Fit the map of each target.

        Args:
            mean: Predicted means of the calibration rows, `(N, K)`.
            std: Predicted standard deviations above 0, `(N, K)`.
            targets: Measurements `(N, K)`; NaN means not measured.
            rows: Digests of the calibration rows, `(N,)`, from `row_digests`.
            used: Digests of the rows of training and early stopping, by name.
            names: K names for messages.

        Raises:
            ValueError: When shapes differ, or a standard deviation is not a number above 0.
            CalibrationError: When a row was used before, or a target has no measured row.
        """
        claimed = CalibrationRows.claim(rows, len(as_columns(targets)), used)
        errors = []
        predictions = {"means": mean, "standard deviations": std}
        for name, target, (center, spread) in measured_columns(predictions, targets, names):
            check_stds(spread, name)
            if not len(target):
                raise CalibrationError(
                    f"Expected measured calibration rows of {name!r}. Received: none. Leave the target out"
                )
            errors.append(np.sort((target - center) / spread))
        return cls(tuple(errors), claimed)

    def predict_interval(
        self, mean: ArrayLike, std: ArrayLike, confidence_level: float, *, rows: ArrayLike | None
    ) -> Interval:
        """Return the central interval of the recalibrated distribution.

        Args:
            mean: Predicted means, `(N, K)`.
            std: Predicted standard deviations above 0, `(N, K)`.
            confidence_level: Probability inside, above 0 and below 1.
            rows: Digests of the rows, `(N,)`; None for sequences that nothing was measured on.

        Raises:
            ValueError: When shapes do not fit or the level is outside its range.
            CalibrationError: When a row was calibrated on.
        """
        check_confidence_level(confidence_level)
        mean, std = self._checked(rows, mean, std)
        # (1 - 0.8) / 2 must not fall short of 0.1, the level of the first of nine errors
        tail = round((1 - confidence_level) / 2, 12)
        lower, upper = (
            mean + std * np.array([_quantile(errors, probability) for errors in self.errors])
            for probability in (tail, 1 - tail)
        )
        return Interval(lower, upper)

    def probability(self, mean: ArrayLike, std: ArrayLike, values: ArrayLike, *, rows: ArrayLike | None) -> NDArray:
        """Return the recalibrated probability of a value up to each of `values`, for instance the measurements.

        Args:
            mean: Predicted means, `(N, K)`.
            std: Predicted standard deviations above 0, `(N, K)`.
            values: `(N, K)`; NaN stays NaN.
            rows: Digests of the rows, `(N,)`; None for sequences that nothing was measured on.

        Raises:
            ValueError: When shapes do not fit.
            CalibrationError: When a row was calibrated on.
        """
        mean, std, values = self._checked(rows, mean, std, values)
        standardized = (values - mean) / std
        columns = [_probability(errors, column) for errors, column in zip(self.errors, standardized.T, strict=True)]
        return np.stack(columns, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists that JSON keeps exactly."""
        return {"errors": [errors.tolist() for errors in self.errors], "rows": list(self.rows.digests)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IsotonicRecalibration:
        """Rebuild from `to_dict`.

        Raises:
            ValueError: Other keys.
        """
        check_keys(values, ("errors", "rows"), "isotonic recalibration")
        errors = tuple(np.array(column) for column in values["errors"])
        return cls(errors, CalibrationRows(tuple(values["rows"])))

    def _checked(self, rows: ArrayLike | None, *arrays: ArrayLike) -> list[NDArray]:
        values = [np.asarray(array, dtype=np.float64) for array in arrays]
        shapes = {array.shape for array in values}
        if len(shapes) != 1 or next(iter(shapes))[1:] != (len(self.errors),):
            raise ValueError(f"Expected arrays (N, {len(self.errors)}) of one shape. Received: {sorted(shapes)}")
        self.rows.require_new(rows, len(values[0]))
        return values


def _levels(errors: NDArray) -> NDArray:
    return np.arange(1, len(errors) + 1) / (len(errors) + 1)


def _quantile(errors: NDArray, probability: float) -> float:
    return float(np.interp(probability, _levels(errors), errors, left=-np.inf, right=np.inf))


def _probability(errors: NDArray, standardized: NDArray) -> NDArray:
    return np.interp(standardized, errors, _levels(errors), left=0.0, right=1.0)
