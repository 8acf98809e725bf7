"""How much explanations depend on which of several equal models is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Consistency(NamedTuple):
    """Agreement of the maps of R models with a reference, for each of N sequences.

    Attributes:
        rmse: Root mean squared difference to the reference over positions and letters, `(R, N)`.
        pearson: Correlation with the reference over positions and letters, `(R, N)`; NaN where one of them is constant.
        cosine: Cosine of the angle to the reference, `(R, N)`; NaN where one of them is 0.
        spread: Square root of the sum over positions and letters of the variance (ddof 1) over models, `(N,)`; None for
            a single model.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3.
    """

    rmse: NDArray
    pearson: NDArray
    cosine: NDArray
    spread: NDArray | None


def consistency(maps: ArrayLike, reference: ArrayLike) -> Consistency:
    """Compare the maps of equal models with a reference and with one another.

    The reference of the published method is the mean map of the ensemble. Its members have a part in that mean, so M
    members whose maps differ by independent noise come nearer to it than an outsider with the same noise, by a factor
    of `sqrt((M - 1) / (M + 1))` in `rmse`. `means_of_others` gives every member a reference that it has no part in.

    Args:
        maps: One map a model and sequence, `(R, N, L, 4)`.
        reference: One map a sequence, `(N, L, 4)`, or one a model and sequence, `(R, N, L, 4)`.

    Raises:
        ValueError: When the shapes do not fit.
    """
    maps, reference = np.asarray(maps, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if maps.ndim != 4 or reference.shape not in (maps.shape, maps.shape[1:]):
        raise ValueError(
            "Expected maps (R, N, L, 4) and a reference (N, L, 4) or (R, N, L, 4). "
            f"Received: {maps.shape} and {reference.shape}"
        )
    flat, goal = (array.reshape(*array.shape[:-2], -1) for array in (maps, reference))
    centred = flat - flat.mean(axis=-1, keepdims=True)
    spread = np.sqrt(maps.var(axis=0, ddof=1).sum(axis=(1, 2))) if len(maps) > 1 else None
    return Consistency(
        rmse=np.sqrt(np.square(flat - goal).mean(axis=-1)),
        pearson=_cosine(centred, goal - goal.mean(axis=-1, keepdims=True)),
        cosine=_cosine(flat, goal),
        spread=spread,
    )


def means_of_others(maps: ArrayLike) -> NDArray:
    """Return for every model the mean map of all the others.

    Args:
        maps: One map a model and sequence, `(R, N, L, 4)`, of at least two models.

    Raises:
        ValueError: When there is one model only.
    """
    maps = np.asarray(maps, dtype=np.float64)
    if len(maps) < 2:
        raise ValueError(f"Expected the maps of at least 2 models. Received: {len(maps)}")
    return (maps.sum(axis=0) - maps) / (len(maps) - 1)


def _cosine(one: NDArray, other: NDArray) -> NDArray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    products = (one * other).sum(axis=-1)
    return np.divide(products, lengths, out=np.full_like(products, np.nan), where=lengths > 0)


def consistency_table(
    groups: Mapping[str, ArrayLike],
    reference: ArrayLike,
    *,
    members: str | None = None,
    prefix: str = "",
    target: str = "",
) -> dict[str, float]:
    """Return the consistency of groups of models, flat.

    Args:
        groups: Maps `(R, N, L, 4)` by the name of a group of equal models, such as `"single"`, `"ensemble"` and
            `"student"`.
        reference: The maps that they are compared with, `(N, L, 4)`; by convention the mean map of the ensemble.
        members: The group that the reference is the mean of. It gets a second row, `<members>_left_out`, where each
            is compared with the mean of the others.
        prefix: Put before every key, for example `"test/attribution/"`.
        target: Put behind every key, after a slash.

    Returns:
        Means over sequences and models, keys `<prefix><metric>/<group>[/<target>]`, with metrics `rmse`, `pearson` and
        `cosine`; for groups of several models also `spread`, and `<metric>/<group>_sd` with the standard deviation
        (ddof 1) over models of their means over sequences.
    """
    flat: dict[str, float] = {}
    ending = f"/{target}" if target else ""
    compared = {group: (maps, reference) for group, maps in groups.items()}
    if members is not None:
        compared[f"{members}_left_out"] = groups[members], means_of_others(groups[members])
    for group, (maps, goal) in compared.items():
        found = consistency(maps, goal)
        for metric in ("rmse", "pearson", "cosine"):
            models = _mean(getattr(found, metric), axis=1)
            flat[f"{prefix}{metric}/{group}{ending}"] = float(_mean(models))
            if len(models) > 1:
                flat[f"{prefix}{metric}/{group}_sd{ending}"] = float(models.std(ddof=1))
        if found.spread is not None and group in groups:
            flat[f"{prefix}spread/{group}{ending}"] = float(found.spread.mean())
    return flat


def _mean(values: NDArray, axis: int | None = None) -> NDArray:
    """Mean over values that are defined; NaN where none is."""
    defined = np.isfinite(values)
    counts = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    return np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
