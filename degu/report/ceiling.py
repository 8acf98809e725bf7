"""How well a perfect model could predict noisy measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from degu.report.study import Study


class Ceiling(NamedTuple):
    """The noise ceiling of one target.

    Attributes:
        pearson_r: Correlation of the measurements with their own expectation.
        mse: Squared error of that expectation: the variance of the noise.
        replicates: Number of replicates behind each measurement; None where it is not known. Then the noise is taken to
            be that of one replicate, `pearson_r` is the least and `mse` the most that the ceiling can be.
    """

    pearson_r: float
    mse: float
    replicates: int | None


def noise_ceilings(study: Study) -> dict[str, Ceiling]:
    """Return the ceilings of the targets whose test measurements have a deviation over replicates.

    A measurement that is the mean of R replicates with standard deviation s has noise of variance s^2 / R. Noise and
    truth are independent, so the truth correlates with the measurement as sqrt(1 - noise variance / variance).

    References:
        Spearman (1904), "The proof and measurement of association between two things", doi:10.2307/1412159.
    """
    arrays = study.arrays
    if arrays is None or arrays.measured_std is None or study.family != "regression":
        return {}
    found = {}
    for index, name in enumerate(arrays.names):
        rows = np.isfinite(arrays.measured[:, index]) & np.isfinite(arrays.measured_std[:, index])
        if rows.sum() < 2:
            continue
        replicates = _replicates(study.config.get("data") or {}, name)
        noise = float(np.mean(np.square(arrays.measured_std[rows, index], dtype=np.float64))) / (replicates or 1)
        variance = float(np.var(arrays.measured[rows, index], dtype=np.float64))
        if variance > 0:
            found[name] = Ceiling(float(np.sqrt(max(0.0, 1 - noise / variance))), noise, replicates)
    return found


def _replicates(data: Mapping[str, Any], target: str) -> int | None:
    """Return the number of replicates that a data config states."""
    columns = (data.get("replicates") or {}).get(target)
    return len(columns) if columns else data.get("num_replicates") or None
