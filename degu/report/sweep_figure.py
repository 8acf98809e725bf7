"""Parallel coordinates: every job of a sweep as a line through its values to its objective."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from degu.report.drawing import VERMILION, short

COLOURS = "cividis"
"""Perceptually even, and read alike with and without red-green vision."""

_WIDE = 1.6
_DECADE = 10.0


def parallel_coordinates(
    values: Sequence[Mapping[str, str]], objectives: Sequence[float], metric: str, best: int | None = None
) -> Figure:
    """Draw one line a job.

    Axes of numbers are linear, or logarithmic where the values span more than a decade; other values are evenly spaced
    in order of appearance. The last axis is the objective, which also is the colour.

    Args:
        values: What differs between the jobs, by key.
        objectives: One number a job.
        metric: Name of the objective.
        best: Place of the best job, which is drawn on top and marked.

    Returns:
        The figure.
    """
    keys = list(dict.fromkeys(key for row in values for key in row))
    figure = Figure(figsize=(max(4.8, _WIDE * (len(keys) + 1.6)), 3.8), layout="constrained", dpi=120)
    axis = figure.subplots()
    columns = [_Column(key, [row.get(key, "") for row in values]) for key in keys]
    heights = np.column_stack([*(column.heights for column in columns), _scaled(np.array(objectives, float))])
    norm = Normalize(min(objectives), max(objectives))
    mappable = ScalarMappable(norm, COLOURS)
    for place in sorted(range(len(values)), key=lambda row: (row == best, objectives[row])):
        is_best = place == best
        axis.plot(
            range(len(keys) + 1),
            heights[place],
            color=mappable.cmap(norm(objectives[place])),
            linewidth=3.0 if is_best else 1.3,
            path_effects=[withStroke(linewidth=5.0, foreground=VERMILION)] if is_best else None,
            solid_joinstyle="round",
            gid=f"job-{place}",
        )
    for position, column in enumerate(columns):
        _axis(axis, position, column.ticks)
    _axis(axis, len(keys), _objective_ticks(objectives))
    _frame(axis, [*(short(key, 22) for key in keys), "objective"])
    figure.colorbar(mappable, ax=axis, pad=0.03).set_label(short(metric, 60), fontsize=8)
    title = f"{len(values)} jobs" + ("" if best is None else "; the best one is outlined")
    axis.set_title(title, fontsize=10)
    return figure


class _Column:
    """One swept key: heights in [0, 1] and labelled ticks."""

    def __init__(self, key: str, texts: Sequence[str]) -> None:
        numbers = [_number(text) for text in texts]
        if all(number is not None for number in numbers) and len(set(numbers)) > 1:
            plain = np.array(numbers, float)
            is_log = bool(plain.min() > 0 and plain.max() / plain.min() > _DECADE)
            self.heights = _scaled(np.log10(plain) if is_log else plain)
            self.ticks = _ticks(plain, self.heights)
        else:
            names = list(dict.fromkeys(texts))
            even = np.linspace(0, 1, len(names)) if len(names) > 1 else np.array([0.5])
            self.heights = np.array([even[names.index(text)] for text in texts])
            self.ticks = [(float(height), short(name, 18)) for name, height in zip(names, even, strict=True)]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _scaled(values: NDArray) -> NDArray:
    low, high = values.min(), values.max()
    return np.full(len(values), 0.5) if high == low else (values - low) / (high - low)


def _ticks(values: NDArray, heights: NDArray) -> list[tuple[float, str]]:
    """Return the values themselves where there are few, otherwise five of them, from the lowest to the highest."""
    order = np.argsort(values)
    distinct = [int(order[0])]
    for place in order[1:]:
        if values[place] != values[distinct[-1]]:
            distinct.append(int(place))
    if len(distinct) > 6:
        places = np.array(distinct)
        distinct = [int(places[np.abs(heights[places] - at).argmin()]) for at in np.linspace(0, 1, 5)]
    return [(float(heights[place]), f"{values[place]:.3g}") for place in dict.fromkeys(distinct)]


def _objective_ticks(objectives: Sequence[float]) -> list[tuple[float, str]]:
    low, high = min(objectives), max(objectives)
    if low == high:
        return [(0.5, f"{low:.4f}")]
    return [(at, f"{low + at * (high - low):.4f}") for at in (0.0, 0.5, 1.0)]


def _axis(axis: Axes, position: int, ticks: Sequence[tuple[float, str]]) -> None:
    axis.axvline(position, color="#444444", linewidth=0.8, zorder=0)
    for height, label in ticks:
        axis.text(
            position + 0.03,
            height,
            label,
            fontsize=7,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            zorder=5,
        )


def _frame(axis: Axes, labels: Sequence[str]) -> None:
    axis.set_xticks(range(len(labels)), labels, fontsize=8)
    axis.set_yticks([])
    axis.set_xlim(-0.1, len(labels) - 0.7)
    axis.set_ylim(-0.06, 1.06)
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
