"""Predicted uncertainties against a known truth, which simulated data have and measured data do not.

A measurement is true activity plus noise. Aleatoric uncertainty is right when it is the standard deviation of the
noise; epistemic uncertainty is useful when it is large where the predicted activity is far from the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from degu.ensemble.prediction import Prediction
from degu.evaluation.uncertainty import predicted_stds
from degu.metrics import central_confidence
from degu.uncertainty import Spread

LEVEL = 0.9


class ErrorBins(NamedTuple):
    """Sequences in bins of equal size, by epistemic standard deviation.

    Attributes:
        epistemic: Root mean square of the epistemic standard deviation in each bin, increasing.
        error: Root mean square of predicted less true activity in each bin.
    """

    epistemic: NDArray
    error: NDArray


def truth_metrics(
    prediction: Prediction, spread: Spread, mean: NDArray, noise_sd: NDArray, names: Sequence[str]
) -> dict[str, float]:
    """Compare a prediction with the truth.

    Args:
        prediction: Of N sequences and K targets, with an epistemic column.
        spread: The uncertainty function whose unit the epistemic column has.
        mean: True activities `(N, K)`.
        noise_sd: True standard deviations of one measurement `(N, K)`.
        names: The K target names.

    Returns:
        `{"<metric>/<target>": value}` with

        * `mean_pearson_r`, `mean_rmse`: predicted against true activity.
        * `epistemic_error_spearman`: rank correlation of epistemic standard deviation and distance to the truth.
        * `epistemic_ratio`: root mean square of epistemic over that of the error; below 1, members agree on errors.
        * `epistemic_coverage_90`: share of true activities in central 90 % intervals of epistemic.
        * `aleatoric_pearson_r`, `aleatoric_ratio`: predicted against true noise, and the ratio of their means, for
          targets with an aleatoric column.
    """
    stds = predicted_stds(prediction, spread)
    flat: dict[str, float] = {}
    for index, name in enumerate(names):
        error, epistemic = prediction.mean[:, index] - mean[:, index], stds["epistemic"][:, index]
        found = {
            "mean_pearson_r": _pearson(prediction.mean[:, index], mean[:, index]),
            "mean_rmse": _rms(error),
            "epistemic_error_spearman": float(stats.spearmanr(epistemic, np.abs(error)).statistic),
            "epistemic_ratio": _rms(epistemic) / _rms(error),
            "epistemic_coverage_90": float((central_confidence(error, epistemic) <= LEVEL).mean()),
        }
        if "aleatoric" in stds and not np.isnan(stds["aleatoric"][:, index]).any():
            noise = stds["aleatoric"][:, index]
            found["aleatoric_pearson_r"] = _pearson(noise, noise_sd[:, index])
            found["aleatoric_ratio"] = float(noise.mean() / noise_sd[:, index].mean())
        flat |= {f"{metric}/{name}": value for metric, value in found.items()}
    return flat


def error_bins(epistemic: NDArray, error: NDArray, num_bins: int = 10) -> ErrorBins:
    """Return what epistemic uncertainty says of the error, bin by bin.

    Args:
        epistemic: Epistemic standard deviations of one target, `(N,)`.
        error: Predicted less true activity, `(N,)`.
        num_bins: Bins, at most N.

    Raises:
        ValueError: When there are fewer rows than bins.
    """
    if len(epistemic) < num_bins:
        raise ValueError(f"Expected at least {num_bins} rows, one a bin. Received: {len(epistemic)}")
    parts = np.array_split(np.argsort(epistemic, kind="stable"), num_bins)
    return ErrorBins(
        np.array([_rms(epistemic[part]) for part in parts]), np.array([_rms(error[part]) for part in parts])
    )


def _pearson(one: NDArray, other: NDArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def _rms(values: NDArray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
