"""Sequence logos of attribution maps, with the spread over models beneath them."""

from __future__ import annotations

from collections.abc import Mapping

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from degu.data.encoding import LETTERS

# Okabe and Ito's colour-blind safe palette, in the customary order green, blue, yellow, red.
BASE_COLOURS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}
_GREY = "#666666"


def logo_figure(
    rows: Mapping[str, ArrayLike],
    spread: Mapping[str, ArrayLike] | None = None,
    *,
    title: str = "",
    start: int = 0,
    marked: Mapping[str, tuple[int, int]] | None = None,
) -> Figure:
    """Draw letters as high as their contributions, one row a model, and the spread over models beneath.

    Args:
        rows: Contributions `(L, 4)` by the name of the row; usually those of the sequence's own letters
            (`of_sequence`). All rows have one scale.
        spread: Standard deviations over models of the contribution, `(L,)`, by name; they share one row below.
        title: Title of the figure.
        start: Number of the first position.
        marked: Stretches `(first, behind the last)`, as positions counted like `start`, to be shaded, by name.

    Returns:
        The figure; `figure.savefig(...)` writes it.

    Raises:
        ValueError: When a shape does not fit.

    References:
        Tareen, Kinney (2020), "Logomaker: beautiful sequence logos in Python", doi:10.1093/bioinformatics/btz921.
    """
    maps = {name: np.asarray(values, dtype=float) for name, values in rows.items()}
    lines = {name: np.asarray(values, dtype=float) for name, values in (spread or {}).items()}
    length = _length(maps, lines)
    heights = [1.6] * len(maps) + [0.8] * bool(lines)
    figure = Figure(figsize=(min(max(0.11 * length, 5.0), 24.0), sum(heights) + 0.8), layout="constrained", dpi=120)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    limits = _limits(maps)
    for axis, (name, values) in zip(axes, maps.items(), strict=False):
        _draw_logo(axis, values, start)
        axis.set(ylim=limits, ylabel="contribution")
        axis.tick_params(bottom=axis is axes[-1])
        axis.set_title(name, loc="left", fontsize=9)
    if lines:
        _draw_spread(axes[-1], lines, start)
    for name, stretch in (marked or {}).items():
        _mark(axes, name, stretch)
    axes[-1].set(xlim=(start - 0.5, start + length - 0.5), xlabel="position")
    figure.suptitle(title, fontsize=11)
    return figure


def _length(maps: Mapping[str, NDArray], lines: Mapping[str, NDArray]) -> int:
    lengths = {len(values) for values in [*maps.values(), *lines.values()]}
    fits = all(values.shape[1:] == (4,) for values in maps.values()) and all(line.ndim == 1 for line in lines.values())
    if not maps or len(lengths) > 1 or not fits:
        shapes = {name: values.shape for name, values in {**maps, **lines}.items()}
        raise ValueError(f"Expected rows (L, 4) and spreads (L,), at least one row. Received: {shapes}")
    return lengths.pop()


def _limits(maps: Mapping[str, NDArray]) -> tuple[float, float]:
    """Return the common range of stacks of letters, with a little room."""
    low = min(float(np.minimum(values, 0.0).sum(axis=1).min()) for values in maps.values())
    high = max(float(np.maximum(values, 0.0).sum(axis=1).max()) for values in maps.values())
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def _draw_logo(axis: Axes, values: NDArray, start: int) -> None:
    positions = np.arange(start, start + len(values))
    table = pd.DataFrame(values, index=positions, columns=list(LETTERS[:4]))
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    # Without a letter of any height logomaker would ask for an axis of no height.
    if values.any():
        logomaker.Logo(table, ax=axis, color_scheme=BASE_COLOURS, baseline_width=0.5)


def _draw_spread(axis: Axes, lines: Mapping[str, NDArray], start: int) -> None:
    colours = (_GREY, *BASE_COLOURS.values())
    for index, (name, line) in enumerate(lines.items()):
        edges = np.arange(start - 0.5, start + len(line) + 0.5)
        colour = colours[index % len(colours)]
        axis.stairs(line, edges, fill=len(lines) == 1, color=colour, alpha=0.8, label=name)
    axis.set(ylabel="spread", ylim=(0.0, 1.1 * max(line.max() for line in lines.values()) or 1.0))
    axis.spines[["top", "right"]].set_visible(False)
    if len(lines) == 1:
        axis.set_title(next(iter(lines)), loc="left", fontsize=9)
    else:
        axis.legend(fontsize=8, frameon=False, loc="upper right")


def _mark(axes: NDArray, name: str, stretch: tuple[int, int]) -> None:
    for axis in axes:
        axis.axvspan(stretch[0] - 0.5, stretch[1] - 0.5, color=_GREY, alpha=0.15, linewidth=0, zorder=-1)
    middle = (stretch[0] + stretch[1] - 1) / 2
    axes[0].annotate(name, (middle, 1.0), xycoords=("data", "axes fraction"), ha="center", va="top", fontsize=8)
