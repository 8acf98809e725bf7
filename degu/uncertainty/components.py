"""A variance put together from parts: weighted epistemic and aleatoric variances and a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from degu.metrics.columns import as_columns, measured_columns
from degu.uncertainty.checks import check_errors, check_keys, check_stds
from degu.uncertainty.rows import CalibrationRows

CONSTANT = "constant"
_SMALLEST = 1e-8
"""Of a part's mean variance, relative to the mean squared error; keeps every variance above 0."""


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """Total variance `sum over parts of weight * std^2 + constant`, fitted by Gaussian negative log-likelihood.

    Epistemic and aleatoric standard deviations are wrong by different factors, and a model without an aleatoric
    column still has measurement noise. A common factor (`VarianceScaling`) would spread that noise in proportion to
    the disagreement of members; the constant is noise that all sequences share.

    Attributes:
        weights: By name of the part, and `"constant"`; each `(K,)`, above 0. The constant is a variance in squared
            units of the targets. A part that the calibration rows do not support has a weight near 0.
        rows: What it was fitted on.

    References:
        Kendall, Gal (2017), arXiv:1703.04977 (the sum with weights of 1). McCullagh, Nelder (1989),
        doi:10.1201/9780203753736, chapters 8 and 10 (the fit: gamma regression of squared errors, identity link).
    """

    weights: Mapping[str, NDArray]
    rows: CalibrationRows

    @classmethod
    def fit(
        cls,
        mean: ArrayLike,
        parts: Mapping[str, ArrayLike],
        targets: ArrayLike,
        *,
        rows: ArrayLike,
        used: Mapping[str, ArrayLike],
        names: Sequence[str] | None = None,
    ) -> VarianceComponents:
        """Fit the weights.

        Args:
            mean: Predicted means of the calibration rows, `(N, K)`.
            parts: Predicted standard deviations above 0 by name, such as `"epistemic"`, each `(N, K)`.
            targets: Measurements `(N, K)`; NaN means not measured.
            rows: Digests of the calibration rows, `(N,)`, from `row_digests`.
            used: Digests of the rows of training and early stopping, by name.
            names: K names for messages.

        Raises:
            ValueError: When shapes differ, a standard deviation is not a number above 0, or a part is called
                `"constant"`.
            CalibrationError: When a row was used before, or a target has no measured row or no error at all.
        """
        if CONSTANT in parts:
            raise ValueError(f"Expected names of parts other than {CONSTANT!r}. Received: {list(parts)}")
        claimed = CalibrationRows.claim(rows, len(as_columns(targets)), used)
        fitted = []
        for name, target, (center, *stds) in measured_columns({"means": mean, **parts}, targets, names):
            for std in stds:
                check_stds(std, name)
            check_errors(target - center, name)
            variances = np.stack([*(std**2 for std in stds), np.ones_like(target)], axis=1)
            fitted.append(_fit((target - center) ** 2, variances))
        return cls(dict(zip([*parts, CONSTANT], np.array(fitted).T, strict=True)), claimed)

    def transform(self, parts: Mapping[str, ArrayLike], *, rows: ArrayLike | None) -> NDArray:
        """Return total standard deviations `(N, K)`.

        Args:
            parts: Predicted standard deviations of the parts that were fitted, each `(N, K)`.
            rows: Digests of the rows, `(N,)`; None for sequences that nothing was measured on.

        Raises:
            ValueError: When parts or shapes are others.
            CalibrationError: When a row was calibrated on.
        """
        if set(parts) != set(self.weights) - {CONSTANT}:
            raise ValueError(f"Expected the parts {sorted(set(self.weights) - {CONSTANT})}. Received: {sorted(parts)}")
        squares = {name: np.square(np.asarray(std, dtype=np.float64)) for name, std in parts.items()}
        shapes = {values.shape for values in squares.values()}
        if len(shapes) != 1 or next(iter(shapes))[1:] != self.weights[CONSTANT].shape:
            raise ValueError(
                f"Expected parts (N, {len(self.weights[CONSTANT])}) of one shape. Received: {sorted(shapes)}"
            )
        self.rows.require_new(rows, next(iter(shapes))[0])
        return np.sqrt(self.weights[CONSTANT] + sum(self.weights[name] * values for name, values in squares.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists that JSON keeps exactly."""
        weights = {name: values.tolist() for name, values in self.weights.items()}
        return {"weights": weights, "rows": list(self.rows.digests)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VarianceComponents:
        """Rebuild from `to_dict`.

        Raises:
            ValueError: Other keys.
        """
        check_keys(values, ("weights", "rows"), "set of variance components")
        weights = {name: np.array(column) for name, column in values["weights"].items()}
        return cls(weights, CalibrationRows(tuple(values["rows"])))


def _fit(squared: NDArray, variances: NDArray) -> NDArray:
    """Return the weights `(J,)` of the smallest mean of `log v + squared / v` with `v = variances @ weights`.

    The sum is not convex, so the search starts from every part alone, whose best weight has a closed form, and from
    their mixture.
    """
    scale = squared.mean() / variances.mean(axis=0)
    design, ratio = variances * scale / squared.mean(), squared / squared.mean()

    def loss(weights: NDArray) -> tuple[float, NDArray]:
        v = design @ weights
        return float(np.mean(np.log(v) + ratio / v)), design.T @ (1 / v - ratio / v**2) / len(v)

    alone = np.diag(np.mean(ratio[:, None] / design, axis=0))
    starts = np.maximum([*alone, alone.diagonal() / len(alone)], _SMALLEST)
    bounds = [(_SMALLEST, None)] * len(alone)
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000}
    found = [optimize.minimize(loss, start, jac=True, bounds=bounds, options=options) for start in starts]
    return min(found, key=lambda result: result.fun).x * scale
