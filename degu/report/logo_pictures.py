"""Logos of the most active test sequences: contributions of their letters, and how far the members differ in them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from degu.attribution.logos import logo_figure
from degu.data.encoding import one_hot
from degu.report.content import Picture
from degu.report.drawing import short

MOST = 6
"""Logos on a page; drawing one takes about a second."""

LONGEST = 60
"""Letters of a logo; more cannot be read."""


def logo_pictures(arrays: Mapping[str, NDArray]) -> list[Picture]:
    """Draw the stretch of each sequence in which the ensemble finds the largest contributions.

    Args:
        arrays: Those of `degu.evaluation.explanations.logo_arrays`; empty for no logos.

    Returns:
        The first sequence of every target, then the second, and so on, `MOST` at most.
    """
    if not arrays:
        return []
    targets, sequences, _ = arrays["ensemble"].shape
    places = [(target, number) for number, target in product(range(sequences), range(targets))]
    return [_picture(arrays, target, number) for target, number in places[:MOST]]


def _picture(arrays: Mapping[str, NDArray], target: int, number: int) -> Picture:
    place, name = (target, number), str(arrays["target_names"][target])
    length = arrays["tokens"].shape[-1]
    start, stop = richest_stretch(arrays["ensemble"][place], LONGEST)
    letters = one_hot(arrays["tokens"][place])[start:stop]
    rows = {
        f"{row}{note}": arrays[row][place][start:stop, None] * letters
        for row, note in (("ensemble", ", mean of its members"), ("student", ""))
    }
    spread = {"sd over members": arrays["ensemble_sd"][place][start:stop]}
    title = f"{short(name)}: {short(str(arrays['ids'][place]), 50)}"
    where = "" if stop - start == length else f"Positions {start} to {stop - 1} of {length}, counted from 0. "
    caption = (
        f"{name}, test sequence {number + 1} by measured activity: letters as high as their contribution to the "
        f"prediction, negative ones upside down below the line. {where}A letter that is not clearly higher than the "
        "spread beneath it is one on which equally trained models do not agree."
    )
    return Picture(f"logo_{target}_{number}", logo_figure(rows, spread, title=title, start=start), caption, wide=True)


def richest_stretch(contributions: NDArray, longest: int) -> tuple[int, int]:
    """Return where the stretch with the largest sum of absolute contributions `(L,)` begins and ends."""
    size = min(longest, len(contributions))
    sums = np.convolve(np.abs(contributions), np.ones(size), mode="valid")
    start = int(sums.argmax())
    return start, start + size
