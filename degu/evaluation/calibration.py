"""Calibrated uncertainties of a model, each fitted on rows that neither training nor early stopping has seen.

Methods that give intervals:

* `variance_scaling`: the model's own standard deviation times a factor, as that of a normal distribution.
* `isotonic`: recalibrated quantiles of the model's own distribution.
* `conformal_absolute`: split conformal, one width for all sequences.
* `conformal_normalized`: split conformal, widths in proportion to the model's own standard deviation.
* `conformal_mondrian`: the same for each bin of predicted activity.
* `conformal_quantile`: conformalised linear quantile regression on the model's mean and standard deviation, a baseline.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from degu.ensemble.prediction import Prediction
from degu.evaluation.evidence import Evidence, own_std
from degu.evaluation.uncertainty import Intervals, predicted_stds
from degu.metrics import Interval, gaussian_interval
from degu.uncertainty import (
    Band,
    InfiniteIntervalWarning,
    IsotonicRecalibration,
    QuantileLines,
    SplitConformal,
    Spread,
    VarianceComponents,
    VarianceScaling,
    quantile_edges,
    residual_band,
)

IntervalAt = Callable[[float], Interval]
_LINE_ROWS = 2000
"""Rows that quantile lines are fitted on at most; three coefficients need no more."""


@dataclass(frozen=True, eq=False)
class Calibrator:
    """What the calibration of one model has to work with.

    Attributes:
        row: The model, a key of the predictions.
        valid: Rows of early stopping, for bins and quantile lines.
        calibration: Rows that nothing else has used.
        evaluation: Rows that the calibrated uncertainties are for.
        used: Digests of the rows of training and early stopping, by name.
        spread: The uncertainty function whose unit the epistemic column has.
        num_bins: Bins of predicted activity.
    """

    row: str
    valid: Evidence
    calibration: Evidence
    evaluation: Evidence
    used: Mapping[str, NDArray[np.str_]]
    spread: Spread
    num_bins: int = 3

    @property
    def edges(self) -> NDArray:
        """Inner edges of the bins of predicted activity, `(bins - 1, K)`."""
        return quantile_edges(self.valid.predictions[self.row].mean, self.num_bins)

    def intervals(self, method: str, confidence_levels: Sequence[float]) -> Intervals:
        """Return the intervals of a method for the evaluation rows.

        Args:
            method: A key of `METHODS`.
            confidence_levels: Each above 0 and below 1.

        Returns:
            By confidence level. A level for which some target or bin has too few calibration rows is left out.

        Raises:
            CalibrationError: When a row was used before, or a target was not measured.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfiniteIntervalWarning)
            at = METHODS[method](self)
            found = {level: at(level) for level in confidence_levels}
        return {level: interval for level, interval in found.items() if np.isfinite(interval).all()}

    def total_std(self) -> NDArray:
        """Return the calibrated total standard deviation of the evaluation rows, `(N, K)`; see `VarianceComponents`.

        Raises:
            CalibrationError: When a row was used before, or a target was not measured.
        """
        before, after = (predicted_stds(part.predictions[self.row], self.spread) for part in self._parts)
        columns = [self._total_of(target, before, after) for target in range(self.calibration.measured.shape[1])]
        return np.concatenate(columns, axis=1)

    @property
    def _parts(self) -> tuple[Evidence, Evidence]:
        return self.calibration, self.evaluation

    def _total_of(self, target: int, before: Mapping[str, NDArray], after: Mapping[str, NDArray]) -> NDArray:
        column = slice(target, target + 1)
        parts = [
            kind for kind in ("epistemic", "aleatoric") if kind in before and not np.isnan(before[kind]).any(0)[target]
        ]
        fitted = VarianceComponents.fit(
            self._mean(self.calibration)[:, column],
            {kind: before[kind][:, column] for kind in parts},
            self.calibration.measured[:, column],
            rows=self.calibration.digests,
            used=self.used,
        )
        return fitted.transform({kind: after[kind][:, column] for kind in parts}, rows=self.evaluation.digests)

    def _mean(self, part: Evidence) -> NDArray:
        return part.predictions[self.row].mean

    def _std(self, part: Evidence) -> NDArray:
        return own_std(part.predictions[self.row], self.spread)

    def _variance_scaling(self) -> IntervalAt:
        part, other = self._parts
        fitted = VarianceScaling.fit(
            self._mean(part), self._std(part), part.measured, rows=part.digests, used=self.used
        )
        scaled = fitted.transform(self._std(other), rows=other.digests)
        return lambda level: gaussian_interval(self._mean(other), scaled, level)

    def _isotonic(self) -> IntervalAt:
        part, other = self._parts
        fitted = IsotonicRecalibration.fit(
            self._mean(part), self._std(part), part.measured, rows=part.digests, used=self.used
        )
        return lambda level: fitted.predict_interval(self._mean(other), self._std(other), level, rows=other.digests)

    def _conformal(self, band: Callable[[Prediction, NDArray], Band], edges: NDArray | None = None) -> IntervalAt:
        mine, theirs = (band(part.predictions[self.row], self._std(part)) for part in self._parts)
        part, other = self._parts
        fitted = SplitConformal.conformalize(mine, part.measured, rows=part.digests, used=self.used, edges=edges)
        return lambda level: fitted.predict_interval(theirs, level, rows=other.digests)

    def _absolute(self) -> IntervalAt:
        return self._conformal(lambda prediction, _: residual_band(prediction.mean))

    def _normalized(self) -> IntervalAt:
        return self._conformal(lambda prediction, std: residual_band(prediction.mean, std))

    def _mondrian(self) -> IntervalAt:
        return self._conformal(lambda prediction, std: residual_band(prediction.mean, std), self.edges)

    def _quantile(self) -> IntervalAt:
        rows = np.arange(len(self.valid.digests))[:_LINE_ROWS]
        valid = self.valid.select(rows)

        def at(level: float) -> Interval:
            lines = QuantileLines.fit(self._mean(valid), self._std(valid), valid.measured, level)
            return self._conformal(lambda prediction, std: lines.predict(prediction.mean, std))(level)

        return at


METHODS: dict[str, Callable[[Calibrator], IntervalAt]] = {
    "variance_scaling": Calibrator._variance_scaling,
    "isotonic": Calibrator._isotonic,
    "conformal_absolute": Calibrator._absolute,
    "conformal_normalized": Calibrator._normalized,
    "conformal_mondrian": Calibrator._mondrian,
    "conformal_quantile": Calibrator._quantile,
}
"""By name, from a calibrator to a function of the confidence level."""
