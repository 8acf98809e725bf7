"""All uncertainties of all models on one set of rows: as predicted, and calibrated on other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

from degu.evaluation.calibration import Calibrator
from degu.evaluation.curves import Curve, calibration_curves, coverage_curves, interval_rows, sparsification_curves
from degu.evaluation.evidence import Evidence, own_std
from degu.evaluation.uncertainty import CALIBRATED, Intervals, predicted_stds, uncertainty_metrics
from degu.metrics import CONFIDENCE_LEVELS, Bootstrap, eval_intervals
from degu.uncertainty import Spread, bin_index


class Calibrated(NamedTuple):
    """The calibrated uncertainties of the models for the rows that are evaluated.

    Attributes:
        stds: Calibrated total standard deviation `(N, K)` by model.
        intervals: By method, model and confidence level.
        edges: Inner edges of the bins of predicted activity, `(bins - 1, K)`, by model.
    """

    stds: Mapping[str, NDArray]
    intervals: Mapping[str, Mapping[str, Intervals]]
    edges: Mapping[str, NDArray]


class Assessment(NamedTuple):
    """What is known about uncertainties.

    Attributes:
        metrics: Flat metrics, `<split>/<family>/<metric>/<row>/<target>`.
        curves: What figures are drawn from, plain values by section; see `degu.trust`.
    """

    metrics: dict[str, float]
    curves: dict[str, Any]


def calibrate(
    calibrators: Mapping[str, Calibrator], methods: Sequence[str], confidence_levels: Sequence[float]
) -> Calibrated:
    """Calibrate every model.

    Args:
        calibrators: By model.
        methods: Keys of `degu.evaluation.calibration.METHODS`.
        confidence_levels: Of the intervals.

    Raises:
        CalibrationError: When a calibration row was used before, or a target was not measured on them.
    """
    return Calibrated(
        {row: calibrator.total_std() for row, calibrator in calibrators.items()},
        {
            method: {row: calibrator.intervals(method, confidence_levels) for row, calibrator in calibrators.items()}
            for method in methods
        },
        {row: calibrator.edges for row, calibrator in calibrators.items()},
    )


def assess_uncertainty(
    split: str,
    names: Sequence[str],
    evidence: Evidence,
    spread: Spread,
    calibrated: Calibrated | None = None,
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS,
    bootstrap: Bootstrap | None = None,
) -> Assessment:
    """Evaluate every uncertainty of every model.

    Args:
        split: Name of the split, the first part of every key.
        names: The K target names.
        evidence: The rows and the models' predictions of them.
        spread: The uncertainty function whose unit the epistemic columns have.
        calibrated: Calibrated uncertainties of the same rows, or None.
        confidence_levels: Of the central intervals of predicted standard deviations.
        bootstrap: How to find confidence intervals of the metrics; None for none.

    Returns:
        Metrics with the families of `uncertainty_metrics`, `uncertainty_total_calibrated` and one for each method, and
        the curves `calibration`, `calibration_kind`, `calibration_before`, `coverage`, `sparsification`, `conformal`.
    """
    measured, predictions = evidence.measured, evidence.predictions
    metrics = uncertainty_metrics(
        split,
        names,
        measured,
        predictions,
        spread,
        None,
        confidence_levels,
        bootstrap=bootstrap,
        calibrated=calibrated.stds if calibrated else None,
    )
    for method, rows in calibrated.intervals.items() if calibrated else ():
        for row, intervals in rows.items():
            metrics |= _named(eval_intervals(intervals, measured, names), f"{split}/{method}", row)
    curves = _curves(names, evidence, spread, calibrated.stds if calibrated else {})
    return Assessment(metrics, curves | {"conformal": _rows(names, evidence, calibrated)})


def _named(metrics: Mapping[str, float], prefix: str, row: str) -> dict[str, float]:
    """Put the row between metric and target."""
    parts = {key: key.partition("/") for key in metrics}
    return {f"{prefix}/{metric}/{row}/{target}": metrics[key] for key, (metric, _, target) in parts.items()}


def _curves(names: Sequence[str], evidence: Evidence, spread: Spread, calibrated: Mapping[str, NDArray]) -> dict:
    own = {row: own_std(prediction, spread) for row, prediction in evidence.predictions.items()}

    def drawn(curve: Callable[..., dict[str, Curve]], row: str, std: ArrayLike) -> dict[str, Curve]:
        return curve(evidence.predictions[row].mean, std, evidence.measured, names)

    coverage: dict[str, dict[str, dict[str, Curve]]] = {}
    for row, prediction in evidence.predictions.items():
        kinds = predicted_stds(prediction, spread) | ({CALIBRATED: calibrated[row]} if row in calibrated else {})
        found = {kind: drawn(coverage_curves, row, std) for kind, std in kinds.items()}
        coverage[row] = {kind: curves for kind, curves in found.items() if curves}
    return {
        "calibration": {row: drawn(calibration_curves, row, calibrated.get(row, std)) for row, std in own.items()},
        "calibration_kind": {row: CALIBRATED if row in calibrated else "as predicted" for row in own},
        "calibration_before": {row: drawn(calibration_curves, row, std) for row, std in own.items()},
        "coverage": coverage,
        "sparsification": {row: drawn(sparsification_curves, row, std) for row, std in own.items()},
    }


def _rows(names: Sequence[str], evidence: Evidence, calibrated: Calibrated | None) -> list[dict[str, Any]]:
    if calibrated is None:
        return []
    bins = {row: bin_index(evidence.predictions[row].mean, edges) for row, edges in calibrated.edges.items()}
    return [
        found
        for method, rows in calibrated.intervals.items()
        for row, intervals in rows.items()
        for found in interval_rows(row, method, intervals, evidence.measured, names, bins[row])
    ]
