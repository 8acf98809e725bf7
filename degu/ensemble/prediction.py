"""What a prediction is, for one model, an ensemble and a student alike."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Prediction(NamedTuple):
    """Predictions of N sequences and K targets, in the unit of the targets.

    Attributes:
        mean: Predicted activity, `(N, K)`.
        epistemic: Disagreement of the members in the unit of the uncertainty function, `(N, K)`; None where the model
            has no such column.
        aleatoric: Measurement noise as a standard deviation, `(N, K)`; NaN for a target without such a column, None
            where the model has none.
        members: Predicted activity of every member, `(M, N, K)`; None for a single network.
    """

    mean: NDArray
    epistemic: NDArray | None = None
    aleatoric: NDArray | None = None
    members: NDArray | None = None

    def select(self, rows: NDArray) -> Prediction:
        """Return the prediction of some sequences: row numbers, counted from 0, or a mask `(N,)`."""
        return Prediction(
            self.mean[rows],
            None if self.epistemic is None else self.epistemic[rows],
            None if self.aleatoric is None else self.aleatoric[rows],
            None if self.members is None else self.members[:, rows],
        )


class EnsembleEvaluation(NamedTuple):
    """Metrics of an ensemble and of its members.

    Attributes:
        ensemble: What the evaluation function returned for the ensemble's mean.
        members: What it returned for each member, in order.
    """

    ensemble: Any
    members: list[Any]
