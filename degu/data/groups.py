"""Random draws of whole groups of rows, the same for the same names whatever the order of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from degu.errors import DataError

SPLIT_SEED = 1234


def draw_groups(groups: npt.ArrayLike, wanted: int, seed: int) -> npt.NDArray[np.bool_]:
    """Mark the rows of randomly drawn groups, as many groups as hold the wanted number of rows.

    Args:
        groups: Name of the group of each row, shape (N,).
        wanted: Rows to mark, at least 1; met to within one group.
        seed: Seed of the draw.

    Returns:
        Shape (N,).
    """
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    needed = np.searchsorted(np.cumsum(sizes[order]), wanted) + 1
    return np.isin(group, order[:needed])


def deal_groups(groups: npt.ArrayLike, valid: float, test: float, seed: int) -> npt.NDArray[np.str_]:
    """Give each group of rows to train, valid or test.

    A group that has more rows than valid or test is to have goes to train; the others are drawn.

    Args:
        groups: Name of the group of each row, shape (N,).
        valid: Part of the rows that valid is to have, above 0.
        test: Part of the rows that test is to have, above 0.
        seed: Seed of the draw.

    Returns:
        ``"train"``, ``"valid"`` or ``"test"`` for each row, shape (N,).

    Raises:
        DataError: Parts outside their range, or too few groups for three splits.
    """
    if not (valid > 0 and test > 0 and valid + test < 1):
        raise DataError(
            f"valid, test: expected parts above 0 whose sum is below 1, received valid {valid} and test {test}."
        )
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    total = int(sizes.sum())
    wanted = {"test": max(1, round(test * total)), "valid": max(1, round(valid * total))}
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[sizes[order] <= min(wanted.values())]
    dealt = np.full(len(names), "train", dtype="<U5")
    filled = 0
    before = 0
    cumulative = np.cumsum(sizes[order])
    for name, rows in wanted.items():
        filled += rows
        stop = int(np.searchsorted(cumulative, filled, side="right"))
        stop = max(stop, before + 1)
        dealt[order[before:stop]] = name
        before = stop
    labels = dealt[group]
    for name in ("train", "valid", "test"):
        if not (labels == name).any():
            raise DataError(
                f"split: expected rows for train, valid and test, but none are left for {name}: {total} rows are in "
                f"{len(names)} group(s), the largest with {int(sizes.max())}. Choose smaller groups (shorter blocks, "
                "longer stretches that count as similar) or other parts."
            )
    return labels
