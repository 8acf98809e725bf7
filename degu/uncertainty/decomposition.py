"""Total, epistemic and aleatoric uncertainty: the law of total variance.

Each member of an ensemble predicts a distribution with a mean and a standard deviation (its aleatoric column). The
ensemble is the mixture of these distributions with equal weights. Its variance is the mean of the members' variances,
which more members do not remove, plus the variance of their means, which is their disagreement.

References:
    Lakshminarayanan, Pritzel, Blundell (2017), "Simple and scalable predictive uncertainty estimation using deep
    ensembles", arXiv:1612.01474.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Decomposition(NamedTuple):
    """Mean and standard deviations of a mixture, in the unit of the predictions, by convention each `(N, K)`.

    Attributes:
        mean: Mean of the members' means.
        epistemic: Standard deviation of the members' means (ddof 0, as the law has it).
        aleatoric: Square root of the mean of the members' variances.
    """

    mean: NDArray
    epistemic: NDArray
    aleatoric: NDArray

    @property
    def total(self) -> NDArray:
        """Standard deviation of the mixture."""
        return total_std(self.epistemic, self.aleatoric)


def decompose(means: ArrayLike, stds: ArrayLike, axis: int = 0) -> Decomposition:
    """Decompose the uncertainty of an ensemble whose members predict mean and standard deviation.

    Args:
        means: Members' means, by convention `(M, N, K)`.
        stds: Members' aleatoric standard deviations, same shape.
        axis: The axis of the members.

    Returns:
        Standard deviations without that axis. One member gives its own, with an epistemic part of 0.

    Raises:
        ValueError: When the shapes differ.

    Example:
        >>> parts = decompose([[0.0], [2.0]], [[1.0], [1.0]])
        >>> [round(float(part), 3) for part in (parts.epistemic[0], parts.aleatoric[0], parts.total[0])]
        [1.0, 1.0, 1.414]
    """
    means, stds = np.asarray(means), np.asarray(stds)
    if means.shape != stds.shape:
        raise ValueError(f"Expected means and stds of one shape. Received: {means.shape} and {stds.shape}")
    return Decomposition(means.mean(axis=axis), means.std(axis=axis), pooled_std(stds, axis))


def pooled_std(stds: Any, axis: int = 0, xp: Any = np) -> Any:
    """Return the square root of the mean variance, the aleatoric part of a mixture.

    Args:
        stds: Standard deviations of the members, by convention `(M, N, K)`.
        axis: The axis of the members.
        xp: Array namespace of `stds`: `numpy`, or `keras.ops` inside a training step.
    """
    return xp.sqrt(xp.mean(xp.square(stds), axis=axis))


def total_std(epistemic: ArrayLike, aleatoric: ArrayLike) -> NDArray:
    """Return the total standard deviation of two independent parts, both standard deviations in one unit."""
    return np.hypot(epistemic, aleatoric)
