"""How well a perfect model could predict a study's test measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from degu.metrics.ceiling import Ceiling, noise_ceiling
from degu.report.study import Study

__all__ = ["Ceiling", "noise_ceilings"]


def noise_ceilings(study: Study) -> dict[str, Ceiling]:
    """Return the ceilings of the targets whose test measurements have a deviation over replicates."""
    arrays = study.arrays
    if arrays is None or arrays.measured_std is None or study.family != "regression":
        return {}
    found = {}
    for index, name in enumerate(arrays.names):
        replicates = _replicates(study.config.get("data") or {}, name)
        ceiling = noise_ceiling(arrays.measured[:, index], arrays.measured_std[:, index], replicates)
        if ceiling is not None:
            found[name] = ceiling
    return found


def _replicates(data: Mapping[str, Any], target: str) -> int | None:
    """Return the number of replicates that a data config states."""
    columns = (data.get("replicates") or {}).get(target)
    return len(columns) if columns else data.get("num_replicates") or None
