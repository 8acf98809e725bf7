"""Curves behind the uncertainty metrics, as plain lists for figures; values that are not finite become None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from degu.evaluation.uncertainty import Intervals
from degu.metrics import calibration_band, calibration_curve, central_confidence, sparsification_curve
from degu.metrics.columns import measured_columns

LEVELS = np.round(np.linspace(0.05, 0.95, 19), 2)
TABLE_LEVELS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
FRACTIONS = np.round(np.linspace(0.0, 0.95, 20), 2)

Curve = dict[str, list[float | None]]


def calibration_curves(mean: ArrayLike, std: ArrayLike, measured: ArrayLike, names: Sequence[str]) -> dict[str, Curve]:
    """Return the share of measurements in central intervals of each level, by target.

    Args:
        mean: Predicted means, `(N, K)`.
        std: Predicted standard deviations `(N, K)`; NaN in the column of a target that has none.
        measured: Measurements `(N, K)`; NaN means not measured.
        names: The K target names.

    Returns:
        `expected`, `observed`, and `lower` and `upper`: where the curve of a calibrated model lies with a probability
        of 95 %, as a whole.
    """
    curves = {}
    for name, error, spread in _errors(mean, std, measured, names):
        band = calibration_band(len(error))
        curves[name] = {
            "expected": plain(LEVELS),
            "observed": plain(calibration_curve(central_confidence(error, spread), LEVELS)),
            "lower": plain(np.maximum(LEVELS - band, 0.0)),
            "upper": plain(np.minimum(LEVELS + band, 1.0)),
        }
    return curves


def coverage_curves(mean: ArrayLike, std: ArrayLike, measured: ArrayLike, names: Sequence[str]) -> dict[str, Curve]:
    """Return `level`, `coverage` and mean `width` of central intervals, by target.

    Arguments are those of `calibration_curves`.
    """
    curves = {}
    for name, error, spread in _errors(mean, std, measured, names):
        curves[name] = {
            "level": plain(TABLE_LEVELS),
            "coverage": plain(calibration_curve(central_confidence(error, spread), TABLE_LEVELS)),
            "width": plain(2 * special.ndtri(0.5 + TABLE_LEVELS / 2) * spread.mean()),
        }
    return curves


def sparsification_curves(
    mean: ArrayLike, std: ArrayLike, measured: ArrayLike, names: Sequence[str]
) -> dict[str, Curve]:
    """Return relative errors of the rows that remain, by target; arguments as `calibration_curves`.

    Returns:
        `removed` shares, and the `error` after removing the most uncertain rows, those of the largest error (`oracle`)
        and any rows (`random`).
    """
    curves = {}
    for name, error, spread in _errors(mean, std, measured, names):
        if not error.any():
            continue
        curves[name] = {
            "removed": plain(FRACTIONS),
            "error": plain(sparsification_curve(error, spread, FRACTIONS)),
            "oracle": plain(sparsification_curve(error, np.abs(error), FRACTIONS)),
            "random": plain(np.ones_like(FRACTIONS)),
        }
    return curves


def interval_rows(
    row: str, method: str, intervals: Intervals, measured: ArrayLike, names: Sequence[str], bins: NDArray[np.intp]
) -> list[dict[str, Any]]:
    """Return coverage and width of a method's intervals, of all rows and of each bin, as rows of a table.

    Args:
        row: The model.
        method: The method.
        intervals: By confidence level.
        measured: Measurements `(N, K)`; NaN means not measured.
        names: The K target names.
        bins: Bin of every prediction, `(N, K)`, 0 for the lowest.

    Returns:
        Rows with `row`, `method`, `target`, `level`, `coverage`, `coverage_low` and `coverage_high` (its 95 %
        Clopper-Pearson interval), mean `width`, `rows`, and `bin`, 1 for the lowest, None for all.

    References:
        Clopper, Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    found = []
    measured = np.asarray(measured)
    for level, (lower, upper) in intervals.items():
        inside = (lower <= measured) & (measured <= upper)
        for column, target in enumerate(names):
            known = np.isfinite(measured[:, column])
            for index in (None, *range(int(bins.max()) + 1)):
                shown = known if index is None else known & (bins[:, column] == index)
                if shown.any():
                    widths = (upper - lower)[shown, column]
                    found.append(
                        {"row": row, "method": method, "target": target, "level": level}
                        | _coverage(inside[shown, column])
                        | {"width": float(widths.mean()), "bin": None if index is None else index + 1}
                    )
    return found


def plain(values: ArrayLike) -> list[float | None]:
    """Return numbers as JSON has them, with six digits and None where one is not finite."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values).tolist()]


def _coverage(inside: NDArray[np.bool_]) -> dict[str, Any]:
    total, count = len(inside), int(inside.sum())
    return {
        "coverage": count / total,
        "coverage_low": float(special.betaincinv(count, total - count + 1, 0.025)) if count else 0.0,
        "coverage_high": float(special.betaincinv(count + 1, total - count, 0.975)) if count < total else 1.0,
        "rows": total,
    }


def _errors(
    mean: ArrayLike, std: ArrayLike, measured: ArrayLike, names: Sequence[str]
) -> list[tuple[str, NDArray, NDArray]]:
    """Return errors and standard deviations of the targets that have both."""
    mean, std, measured = (np.asarray(values, dtype=np.float64) for values in (mean, std, measured))
    shown = np.flatnonzero(~np.isnan(std).any(axis=0) & np.isfinite(measured).any(axis=0)).tolist()
    predictions = {"means": mean[:, shown], "standard deviations": std[:, shown]}
    columns = measured_columns(predictions, measured[:, shown], [names[index] for index in shown])
    return [(name, target - center, spread) for name, target, (center, spread) in columns]
