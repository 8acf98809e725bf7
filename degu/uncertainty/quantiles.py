"""Linear quantile regression on predictions: the band of the conformalised-quantile baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.metrics.columns import measured_columns
from degu.metrics.intervals import check_confidence_level
from degu.uncertainty.bands import Band, quantile_band


@dataclass(frozen=True, eq=False)
class QuantileLines:
    """Lower and upper quantile of the measurement, linear in predicted mean and standard deviation.

    Lines for networks that predict no quantiles themselves. They may be fitted on the rows of early stopping, since
    conformalising them on other rows is what gives the coverage.

    Attributes:
        coefficients: Intercept and slopes of mean and standard deviation, `(2, K, 3)`, lower quantile first.

    References:
        Koenker, Bassett (1978), doi:10.2307/1913643.
    """

    coefficients: NDArray

    @classmethod
    def fit(cls, mean: ArrayLike, std: ArrayLike, targets: ArrayLike, confidence_level: float) -> QuantileLines:
        """Fit the lines of the smallest pinball loss, without a penalty.

        Args:
            mean: Predicted means, `(N, K)`.
            std: Predicted standard deviations, `(N, K)`.
            targets: Measurements `(N, K)`; NaN means not measured.
            confidence_level: Probability between the two quantiles, above 0 and below 1.

        Raises:
            ValueError: When shapes differ, a prediction is not finite, a target was not measured, or the level is
                outside its range.
        """
        check_confidence_level(confidence_level)
        predictions = {"means": mean, "standard deviations": std}
        columns = [
            (np.stack(features, axis=1), target) for _, target, features in measured_columns(predictions, targets, None)
        ]
        probabilities = (1 - confidence_level) / 2, (1 + confidence_level) / 2
        return cls(
            np.array(
                [
                    [_line(features, target, probability) for features, target in columns]
                    for probability in probabilities
                ]
            )
        )

    def predict(self, mean: ArrayLike, std: ArrayLike) -> Band:
        """Return the band between the lines at means and standard deviations `(N, K)`."""
        ones = np.ones_like(np.asarray(mean, dtype=np.float64))
        lower, upper = np.einsum("qkf,fnk->qnk", self.coefficients, np.stack([ones, mean, std]))
        return quantile_band(lower, upper)


def _line(features: NDArray, target: NDArray, probability: float) -> NDArray:
    from sklearn.linear_model import QuantileRegressor

    # the solver works to an absolute tolerance
    unit = np.where(np.std(features, axis=0) > 0, np.std(features, axis=0), 1.0)
    scale = np.std(target) or 1.0
    fitted = QuantileRegressor(quantile=probability, alpha=0.0, solver="highs").fit(features / unit, target / scale)
    return np.array([fitted.intercept_, *(fitted.coef_ / unit)]) * scale
