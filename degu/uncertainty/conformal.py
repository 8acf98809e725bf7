"""Conformal intervals: a coverage that holds for any model and any distribution of the data.

The measurement of a new sequence lies in its interval with a probability of at least `confidence_level`, and of at
most `1 / (n + 1)` more where scores do not tie, for n calibration rows. The probability is over calibration rows and
new row alike, and they must be exchangeable: drawn from one source, in no particular order. It is an average over
sequences: intervals may hold too often for some kinds of sequences and not often enough for others. Bins of the
prediction (Mondrian conformal regression) extend the promise to every bin.

References:
    Papadopoulos, Proedrou, Vovk, Gammerman (2002), doi:10.1007/3-540-36755-1_29 (split conformal regression).
    Vovk, Gammerman, Shafer (2022), doi:10.1007/978-3-031-06649-8 (Mondrian predictors).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.columns import as_columns
from degu.metrics.intervals import Interval, check_confidence_level
from degu.uncertainty.bands import Band, Kind
from degu.uncertainty.bins import bin_index
from degu.uncertainty.checks import check_keys
from degu.uncertainty.rows import CalibrationRows


class InfiniteIntervalWarning(UserWarning):
    """Too few rows were calibrated on for a finite interval at the wanted confidence level."""


def conformal_quantile(scores: NDArray, confidence_level: float) -> float:
    """Return the `ceil((n + 1) confidence_level)`-th smallest of n increasing scores; infinity where n is too small.

    Example:
        >>> conformal_quantile(np.arange(1.0, 10.0), 0.9), conformal_quantile(np.arange(1.0, 9.0), 0.9)
        (9.0, inf)
    """
    # of 99 scores at 0.55 it is the 55th, although 100 * 0.55 is 55.00000000000001
    rank = math.ceil(round((len(scores) + 1) * confidence_level, 9))
    return float(scores[rank - 1]) if rank <= len(scores) else math.inf


def rows_needed(confidence_level: float) -> int:
    """Return the smallest number of calibration rows that gives finite intervals."""
    return math.ceil(round(confidence_level / (1 - confidence_level), 9))


@dataclass(frozen=True, eq=False)
class SplitConformal:
    """Conformal intervals for every target and bin.

    The kind of `Band` chooses the method: absolute residuals (one width), residuals in predicted standard deviations
    (a width that follows the model's own uncertainty), or distances to predicted quantiles (conformalised quantile
    regression). All scores are kept, so intervals of every confidence level come from one calibration.

    Attributes:
        kind: Of the bands.
        edges: Inner edges of the bins of the predicted activity, `(bins - 1, K)`.
        scores: For each target and bin the scores of the calibration rows, increasing.
        rows: What was calibrated on.

    Example:
        >>> from degu.uncertainty import residual_band, row_digests
        >>> y = np.arange(20.0)[:, None]
        >>> conformal = SplitConformal.conformalize(residual_band(0 * y), y, rows=row_digests(y), used={})
        >>> conformal.predict_interval(residual_band([[20.0]]), 0.9, rows=row_digests([[20.0]])).upper
        array([[38.]])
    """

    kind: Kind
    edges: NDArray
    scores: tuple[tuple[NDArray, ...], ...]
    rows: CalibrationRows

    @classmethod
    def conformalize(
        cls,
        band: Band,
        targets: ArrayLike,
        *,
        rows: ArrayLike,
        used: Mapping[str, ArrayLike],
        edges: NDArray | None = None,
    ) -> SplitConformal:
        """Calibrate on rows that nothing else has used.

        Args:
            band: Predictions of the calibration rows, from `residual_band` or `quantile_band`.
            targets: Measurements `(N, K)`; NaN means not measured.
            rows: Digests of the calibration rows, `(N,)`, from `row_digests`.
            used: Digests of the rows of training and early stopping, and of a calibration that the band went through,
                by name.
            edges: Inner edges of bins, `(bins - 1, K)`, from `quantile_edges` of predictions of other rows, such as
                the validation split; edges from the calibration rows themselves would bend the promise. None for one
                bin.

        Raises:
            ValueError: When shapes differ.
            CalibrationError: When a row was used before.
        """
        targets = as_columns(targets)
        if targets.shape != band.lower.shape:
            raise ValueError(
                f"Expected predictions and targets of one shape. Received: {band.lower.shape} and {targets.shape}"
            )
        edges = np.empty((0, targets.shape[1])) if edges is None else np.asarray(edges, dtype=np.float64)
        bins = bin_index(band.center, edges)
        claimed = CalibrationRows.claim(rows, len(targets), used)
        scores = band.scores(targets)
        columns = [
            tuple(np.sort(column[(where == index) & np.isfinite(column)]) for index in range(len(edges) + 1))
            for column, where in zip(scores.T, bins.T, strict=True)
        ]
        return cls(band.kind, edges, tuple(columns), claimed)

    def predict_interval(self, band: Band, confidence_level: float, *, rows: ArrayLike | None) -> Interval:
        """Return intervals.

        Quantiles that cross and stay crossed give the point in their middle.

        Args:
            band: Predictions, made as those of the calibration were.
            confidence_level: Probability that the interval holds the measurement, above 0 and below 1.
            rows: Digests of the rows, `(N,)`; None for sequences that nothing was measured on.

        Returns:
            Bounds `(N, K)`; infinite, with an `InfiniteIntervalWarning`, for targets and bins of fewer calibration
            rows than `rows_needed(confidence_level)`.

        Raises:
            ValueError: When the band is of another kind or shape, or the level is outside its range.
            CalibrationError: When a row was calibrated on.
        """
        check_confidence_level(confidence_level)
        if band.kind != self.kind:
            raise ValueError(f"Expected a band of kind {self.kind!r}, as was calibrated. Received: {band.kind!r}")
        bins = bin_index(band.center, self.edges)
        self.rows.require_new(rows, len(bins))
        quantiles = np.array(
            [[conformal_quantile(scores, confidence_level) for scores in target] for target in self.scores]
        )
        self._warn_of_infinite(quantiles, confidence_level)
        margin = np.take_along_axis(quantiles.T, bins, axis=0) * band.scale
        lower, upper = band.lower - margin, band.upper + margin
        crossed = lower > upper
        return Interval(np.where(crossed, band.center, lower), np.where(crossed, band.center, upper))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        return {
            "kind": self.kind,
            "edges": self.edges.T.tolist(),
            "scores": [[scores.tolist() for scores in target] for target in self.scores],
            "rows": list(self.rows.digests),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SplitConformal:
        """Rebuild from `to_dict`.

        Raises:
            ValueError: Other keys, or an unknown kind.
        """
        check_keys(values, ("kind", "edges", "scores", "rows"), "conformal calibration")
        if values["kind"] not in get_args(Kind):
            raise ValueError(f"Expected kind to be one of {get_args(Kind)}. Received: kind={values['kind']!r}")
        edges = np.array(values["edges"], dtype=np.float64).T
        scores = tuple(tuple(np.array(part, dtype=np.float64) for part in target) for target in values["scores"])
        return cls(values["kind"], edges, scores, CalibrationRows(tuple(values["rows"])))

    def _warn_of_infinite(self, quantiles: NDArray, confidence_level: float) -> None:
        places = np.argwhere(np.isinf(quantiles))
        if len(places):
            target, index = places[0]
            warnings.warn(
                f"Intervals are infinite in {len(places)} of {quantiles.size} targets and bins: confidence level "
                f"{confidence_level:g} needs {rows_needed(confidence_level)} calibration rows, target {target} has "
                f"{len(self.scores[target][index])} in bin {index} (counted from 0). Calibrate on more rows, or in "
                "fewer bins",
                InfiniteIntervalWarning,
                stacklevel=3,
            )
