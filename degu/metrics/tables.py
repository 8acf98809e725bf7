"""Metrics as flat dictionaries, the form that is logged and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

HIGHER_IS_BETTER = {
    "mse": False,
    "pearson_r": True,
    "spearman_rho": True,
    "auroc": True,
    "average_precision": True,
    "f1": True,
    "accuracy": True,
    "nll": False,
    "crps": False,
    "miscalibration_area": False,
    "ence": False,
    "uncertainty_error_spearman": True,
    "ause": False,
    "aurg": True,
}


def flatten(metrics: Any, names: Sequence[str], prefix: str = "") -> dict[str, float]:
    """Return a metrics tuple as `{"<prefix><metric>/<target>": value}`.

    Args:
        metrics: A NamedTuple of arrays `(K,)`, such as `RegressionMetrics`.
        names: The K target names.
        prefix: Put before every key, for example `"test/regression/"`.

    Returns:
        One entry a metric and target, and `<metric>/mean`, the plain average over targets.
    """
    flat = {}
    for field in metrics._fields:
        values = np.atleast_1d(getattr(metrics, field))
        for name, value in zip(names, values, strict=True):
            flat[f"{prefix}{field}/{name}"] = float(value)
        flat[f"{prefix}{field}/mean"] = float(np.mean(values))
    return flat
