"""What a conformal interval grows from: a lower and an upper bound, and the unit of the distance to them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["absolute", "normalized", "quantile"]


class Band(NamedTuple):
    """Predictions of N sequences and K targets that an interval is made of.

    Attributes:
        kind: Where the band comes from; calibration and prediction must agree in it.
        lower: `(N, K)`.
        upper: `(N, K)`; the same as `lower` where a mean is all there is.
        scale: Unit of distances to the bounds, `(N, K)`, above 0.
    """

    kind: Kind
    lower: NDArray
    upper: NDArray
    scale: NDArray

    @property
    def center(self) -> NDArray:
        """Middle of the band, `(N, K)`: the predicted activity."""
        return (self.lower + self.upper) / 2

    def scores(self, targets: NDArray) -> NDArray:
        """Return how far measurements lie outside the band, in units of its scale; negative inside, NaN stays NaN."""
        return np.maximum(self.lower - targets, targets - self.upper) / self.scale


def residual_band(mean: ArrayLike, std: ArrayLike | None = None) -> Band:
    """Return the band whose scores are absolute residuals, or residuals in predicted standard deviations.

    Args:
        mean: Predicted means, `(N, K)`.
        std: Predicted standard deviations above 0, `(N, K)`, of any scale; None gives intervals of one width.

    Raises:
        ValueError: When shapes differ, or a value is not usable.

    References:
        Lei, G'Sell, Rinaldo, Tibshirani, Wasserman (2018), doi:10.1080/01621459.2017.1307116, sections 2.2 and 5.2.
    """
    mean = np.asarray(mean, dtype=np.float64)
    if std is None:
        return _checked(Band("absolute", mean, mean, np.ones_like(mean)))
    return _checked(Band("normalized", mean, mean, np.asarray(std, dtype=np.float64)))


def quantile_band(lower: ArrayLike, upper: ArrayLike) -> Band:
    """Return the band between two predicted quantiles, for conformalised quantile regression.

    Args:
        lower: Lower quantiles, `(N, K)`, for example of probability 0.05.
        upper: Upper quantiles, `(N, K)`, for example of probability 0.95. They may cross the lower ones.

    Raises:
        ValueError: When shapes differ, or a value is not finite.

    References:
        Romano, Patterson, Candes (2019), "Conformalized quantile regression", arXiv:1905.03222.
    """
    lower = np.asarray(lower, dtype=np.float64)
    return _checked(Band("quantile", lower, np.asarray(upper, dtype=np.float64), np.ones_like(lower)))


def _checked(band: Band) -> Band:
    shapes = {part.shape for part in band[1:]}
    if len(shapes) != 1 or band.lower.ndim != 2:
        raise ValueError(f"Expected predictions (N, K) of one shape. Received: {sorted(shapes)}")
    if not all(np.isfinite(part).all() for part in band[1:]):
        raise ValueError("Expected finite predictions to make intervals of. Received NaN or infinity")
    if not (band.scale > 0).all():
        raise ValueError(f"Expected standard deviations above 0. Received: {band.scale.min():g}")
    return band
