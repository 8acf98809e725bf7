"""Predictions as columns of a table: one form for files, for Python and for a served model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.ensemble.prediction import Prediction
from degu.evaluation.evidence import own_std, usable
from degu.inference.rules import IntervalRule
from degu.uncertainty import Spread
from degu.uncertainty import std as plain_std


def prediction_columns(
    prediction: Prediction,
    names: Sequence[str],
    spread: Spread | None,
    rule: IntervalRule,
    limit: ArrayLike | None = None,
) -> dict[str, NDArray]:
    """Return a prediction as columns, target by target.

    Args:
        prediction: Of an ensemble or a student, N sequences and K targets.
        names: The K target names.
        spread: The uncertainty function whose unit the epistemic column has. None for a function of another kind: the
            deviation of the members is taken where there are members, and is NaN otherwise.
        rule: How intervals are made, see `IntervalCalibration.rule` and `uncalibrated`.
        limit: Largest epistemic value that counts as known, `(K,)`, in the unit of `spread`; see `TrainedStudy.limit`.

    Returns:
        Columns `(N,)` by name, in this order for every target: `<target>_mean`, `<target>_epistemic` (a standard
        deviation), `<target>_aleatoric` (a standard deviation; left out where the model predicts no noise of the
        target), `<target>_lower`, `<target>_upper` and, with a limit, `<target>_out_of_range`. All are in the unit of
        the target; the last is True where the model is less sure than of nearly all sequences that it knows.

    Raises:
        ValueError: When the number of names is not that of the targets.
    """
    if prediction.mean.ndim != 2 or prediction.mean.shape[1] != len(names):
        raise ValueError(f"Expected {len(names)} targets, one a name. Received: predictions {prediction.mean.shape}")
    beyond = None if limit is None or prediction.epistemic is None else prediction.epistemic > np.asarray(limit)
    if spread is None:
        prediction = prediction._replace(epistemic=_of_members(prediction))
        spread = plain_std
    prediction = usable(prediction, spread)
    assert prediction.epistemic is not None
    parts = {"mean": prediction.mean, "epistemic": spread.to_std(np.asarray(prediction.epistemic, dtype=np.float64))}
    if prediction.aleatoric is not None:
        parts["aleatoric"] = prediction.aleatoric
    parts |= rule.interval(prediction.mean, own_std(prediction, spread))._asdict()
    if beyond is not None:
        parts["out_of_range"] = beyond
    return {
        f"{name}_{kind}": values[:, column]
        for column, name in enumerate(names)
        for kind, values in parts.items()
        if not (kind == "aleatoric" and np.isnan(values[:, column]).all())
    }


def _of_members(prediction: Prediction) -> NDArray:
    if prediction.members is None:
        return np.full(prediction.mean.shape, np.nan)
    return plain_std(prediction.members, axis=0)
