"""How good the uncertainties of ensemble and student are, in the same flat form as the comparison of their activities.

Keys are `<split>/<family>/<metric>/<row>/<target>`. The families are:

* `uncertainty_epistemic`, `uncertainty_aleatoric`, `uncertainty_total`: each predicted standard deviation as that of a
  normal distribution of the measurement. Epistemic alone leaves out the measurement noise and must cover too little;
  it is shown for that reason.
* One for each method of calibration, named by the caller: its intervals.

Of the bins of predicted activity (lowest is 1) the families end in `_bin_1` and so on. A target without such a standard
deviation is left out of its family.

With a bootstrap each metric has `<metric>_low` and `<metric>_high`, and there is a further row for the second model
minus the first, `student_minus_ensemble`, from paired samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.ensemble.prediction import Prediction
from degu.metrics import CONFIDENCE_LEVELS, Bootstrap, Interval
from degu.metrics.bootstrap import BOUNDS, estimate
from degu.metrics.counted import ColumnStatistics
from degu.metrics.intervals import interval_columns
from degu.metrics.probabilistic import gaussian_columns
from degu.uncertainty import Spread, bin_index, total_std

CALIBRATED = "total_calibrated"
Intervals = Mapping[float, Interval]
"""Intervals of one method and model, by confidence level."""


def predicted_stds(prediction: Prediction, spread: Spread) -> dict[str, NDArray]:
    """Return the standard deviations of a prediction, `(N, K)`, by `"epistemic"`, `"aleatoric"` and `"total"`.

    Args:
        prediction: Of an ensemble or a student.
        spread: The uncertainty function whose unit the epistemic column has.

    Returns:
        Those that the model has. Aleatoric and total are NaN for a target without an aleatoric column: its epistemic
        part alone is no total.
    """
    stds = {}
    if prediction.epistemic is not None:
        stds["epistemic"] = spread.to_std(np.asarray(prediction.epistemic, dtype=np.float64))
    if prediction.aleatoric is not None:
        stds["aleatoric"] = np.asarray(prediction.aleatoric, dtype=np.float64)
    if len(stds) == 2:
        stds["total"] = total_std(stds["epistemic"], stds["aleatoric"])
    return stds


def uncertainty_metrics(
    split: str,
    names: Sequence[str],
    measured: ArrayLike,
    predictions: Mapping[str, Prediction],
    spread: Spread,
    intervals: Mapping[str, Mapping[str, Intervals]] | None = None,
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS,
    edges: Mapping[str, NDArray] | None = None,
    bootstrap: Bootstrap | None = None,
    calibrated: Mapping[str, NDArray] | None = None,
) -> dict[str, float]:
    """Evaluate every uncertainty on one split.

    Args:
        split: Name of the split, the first part of every key.
        names: The K target names.
        measured: Measurements `(N, K)`; NaN means not measured.
        predictions: By row, for example `{"ensemble": ..., "student": ...}`.
        spread: The uncertainty function whose unit the epistemic columns have.
        intervals: Calibrated intervals, by family, row and confidence level, for example
            `{"conformal_normalized": {"student": {0.9: interval}}}`.
        confidence_levels: Of the central intervals of the uncalibrated families.
        edges: By row, inner edges of the bins of its predicted activity, `(bins - 1, K)`, from `quantile_edges`; those
            of Mondrian intervals, where there are some. None for no bins.
        bootstrap: How to find confidence intervals; None for none.
        calibrated: Calibrated total standard deviations `(N, K)` by row, the family `uncertainty_total_calibrated`.

    Returns:
        A flat dictionary; see the module's first lines for its keys.

    Raises:
        ValueError: When shapes differ, or a prediction is not finite.
    """
    flat: dict[str, float] = {}
    measured = np.asarray(measured, dtype=np.float64)
    for suffix, kept in _bins(measured, predictions, edges):
        families = _families(kept, predictions, spread, intervals or {}, names, confidence_levels, calibrated or {})
        for family, rows in families.items():
            flat |= _flat(f"{split}/{family}{suffix}", rows, bootstrap, paired=not suffix)
    return flat


Columns = Mapping[str, ColumnStatistics]
"""The metrics of one row and family, by target."""


def _bins(
    measured: NDArray, predictions: Mapping[str, Prediction], edges: Mapping[str, NDArray] | None
) -> Iterator[tuple[str, dict[str, NDArray]]]:
    """Yield all rows, then each bin, as a suffix and each model's measurements, NaN outside of the bin."""
    yield "", dict.fromkeys(predictions, measured)
    if edges is None:
        return
    bins = {row: bin_index(prediction.mean, edges[row]) for row, prediction in predictions.items()}
    for index in range(max(len(inner) for inner in edges.values()) + 1):
        yield f"_bin_{index + 1}", {row: np.where(where == index, measured, np.nan) for row, where in bins.items()}


def _families(
    measured: Mapping[str, NDArray],
    predictions: Mapping[str, Prediction],
    spread: Spread,
    intervals: Mapping[str, Mapping[str, Intervals]],
    names: Sequence[str],
    confidence_levels: Sequence[float],
    calibrated: Mapping[str, NDArray],
) -> dict[str, dict[str, Columns]]:
    """Return the metrics by family and row."""
    families: dict[str, dict[str, Columns]] = {}
    for row, prediction in predictions.items():
        kinds = predicted_stds(prediction, spread) | ({CALIBRATED: calibrated[row]} if row in calibrated else {})
        for kind, std in kinds.items():
            shown = [index for index in range(len(names)) if not np.isnan(std[:, index]).all()]
            mean, std, target = (array[:, shown] for array in (np.asarray(prediction.mean), std, measured[row]))
            columns = gaussian_columns(mean, std, target, [names[index] for index in shown], confidence_levels)
            families.setdefault(f"uncertainty_{kind}", {})[row] = columns
    for family, rows in intervals.items():
        families[family] = {row: interval_columns(levels, measured[row], names) for row, levels in rows.items()}
    return families


def _flat(prefix: str, rows: Mapping[str, Columns], bootstrap: Bootstrap | None, paired: bool) -> dict[str, float]:
    """Return the metrics of one family, and their plain averages over targets as the target `mean`."""
    flat: dict[str, float] = {}
    averaged: dict[str, list[float]] = {}
    for target in dict.fromkeys(name for columns in rows.values() for name in columns):
        models = {row: columns[target] for row, columns in rows.items() if target in columns}
        for name, numbers in _estimates(models, bootstrap, paired).items():
            metric, _, row = name.partition("/")
            flat |= {
                f"{prefix}/{metric}{bound}/{row}/{target}": number
                for bound, number in zip(BOUNDS, numbers, strict=False)
            }
            averaged.setdefault(f"{prefix}/{name}/mean", []).append(numbers[0])
    return flat | {key: float(np.mean(numbers)) for key, numbers in averaged.items()}


def _estimates(
    models: Mapping[str, ColumnStatistics], bootstrap: Bootstrap | None, paired: bool
) -> dict[str, tuple[float, ...]]:
    """Return the estimates of one target by `<metric>/<row>`, and if paired the difference of the first two models."""
    named = {
        row: {f"{metric}/{row}": statistic for metric, statistic in column.statistics.items()}
        for row, column in models.items()
    }
    together = list(models)[:2] if bootstrap is not None and paired and len(models) > 1 else []
    alone = {
        name: numbers
        for row, column in models.items()
        if row not in together
        for name, numbers in estimate(ColumnStatistics(column.num_rows, named[row]), bootstrap).items()
    }
    if not together:
        return alone
    first, second = together
    column, other = models[first], models[second]
    differences = {
        f"{metric}/{second}_minus_{first}": (f"{metric}/{second}", f"{metric}/{first}")
        for metric in column.statistics
        if metric in other.statistics
    }
    return estimate(ColumnStatistics(column.num_rows, named[first] | named[second]), bootstrap, differences) | alone
