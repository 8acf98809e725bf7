"""Deep evidential regression: the loss, and the uncertainties that its parameters stand for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
from keras import ops

from degu.errors import ConfigError, DataError
from degu.losses.columnwise import ColumnwiseLoss

SHIFT = 4


@keras.saving.register_keras_serializable(package="degu")
class EvidentialRegression(ColumnwiseLoss):
    """Negative log marginal likelihood of a normal-inverse-gamma prior, plus a penalty on misplaced evidence.

    The marginal distribution of a target is Student's t with 2 alpha degrees of freedom, location gamma and
    squared scale beta (1 + nu) / (nu alpha). The penalty is |target - gamma| (2 nu + alpha). The
    predictions are the columns [gamma_1..K, nu_1..K, alpha_1..K, beta_1..K] of `heads.Evidential`.

    Args:
        coefficient: Weight of the penalty; 0 leaves it out.
        reduction: Keras reduction over the batch.
        name: Name of the loss.

    Raises:
        ConfigError: If `coefficient` is negative.

    References:
        Amini, Schwarting, Soleimany, Rus (2020), "Deep evidential regression", arXiv:1910.02600.
    """

    groups = 4

    def __init__(
        self,
        coefficient: float = 0.01,
        reduction: str = "sum_over_batch_size",
        name: str = "evidential_regression",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        if coefficient < 0:
            raise ConfigError(f"EvidentialRegression coefficient: expected a number >= 0, received {coefficient!r}")
        self.coefficient = coefficient

    def elementwise(self, targets: Any, *predicted: Any) -> Any:
        """Return the loss of every entry, the likelihood part in nats."""
        gamma, nu, alpha, beta = predicted
        residual = targets - gamma
        omega = 2 * beta * (1 + nu)
        likelihood = (
            (math.log(math.pi) - ops.log(nu)) / 2
            + ops.log(omega) / 2
            + (alpha + 0.5) * ops.log1p(nu * ops.square(residual) / omega)
            - _log_gamma_step(alpha)
        )
        return likelihood + self.coefficient * ops.abs(residual) * (2 * nu + alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "coefficient": self.coefficient}


class EvidentialUncertainty(NamedTuple):
    """Moments of the predicted normal-inverse-gamma distributions, each of shape (batch, targets).

    Attributes:
        mean: Expected target, in target units.
        aleatoric: Expected variance of the target, in squared target units.
        epistemic: Variance of the mean, in squared target units.
    """

    mean: Any
    aleatoric: Any
    epistemic: Any


def evidential_uncertainty(y_pred: Any) -> EvidentialUncertainty:
    """Split the columns of an evidential head into mean, aleatoric and epistemic variance.

    Args:
        y_pred: Array or tensor of shape (batch, 4 x targets): gamma, nu, alpha (above 1), beta.

    Returns:
        gamma, beta / (alpha - 1) and beta / (nu (alpha - 1)), of the type of `y_pred`.

    Raises:
        DataError: If the number of columns is not a multiple of 4.

    References:
        Amini, Schwarting, Soleimany, Rus (2020), arXiv:1910.02600.
    """
    width = y_pred.shape[-1]
    if width % 4:
        raise DataError(f"evidential_uncertainty: expected a multiple of 4 columns, received {width}")
    step = width // 4
    gamma, nu, alpha, beta = (y_pred[..., start : start + step] for start in range(0, width, step))
    aleatoric = beta / (alpha - 1)
    return EvidentialUncertainty(gamma, aleatoric, aleatoric / nu)


def _log_gamma_step(a: Any) -> Any:
    """Return log Gamma(a + 1/2) - log Gamma(a) for a >= 1, to 1e-8.

    The recurrence of the gamma function moves the argument up by `SHIFT`, where four terms of the asymptotic
    series suffice. Keras has no log-gamma, and the difference of two would lose digits for large arguments.

    References:
        Tricomi, Erdelyi (1951), "The asymptotic expansion of a ratio of gamma functions",
        doi:10.2140/pjm.1951.1.133.
    """
    z = a + SHIFT
    inverse = 1 / ops.square(z)
    series = (-1 / 8 + inverse * (1 / 192 + inverse * (-1 / 640 + inverse * 17 / 14336))) / z
    recurrence = sum(ops.log1p(0.5 / (a + i)) for i in range(SHIFT))
    return ops.log(z) / 2 + series - recurrence
