"""Figures of activities: who predicts best, predicted against measured, and the comparison of both in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from degu.report.arrays import HeldOut
from degu.report.drawing import BLACK, BLUE, GREEN, GREY, ROW_COLOURS, limits, panel, short
from degu.report.scores import Score

_BINS = 32


class TargetScores(NamedTuple):
    """The scores of one target in one metric.

    Attributes:
        label: The metric's name for readers.
        members: Of every member; empty where they are not known.
        single: Of the average member.
        rows: Of `ensemble` and `student`.
        ceiling: The best that a perfect model could have; None where it is not known.
    """

    label: str
    members: Sequence[float]
    single: float
    rows: Mapping[str, Score]
    ceiling: float | None


def score_figure(target: str, scores: TargetScores) -> Figure:
    """Draw single models, ensemble and student side by side, with 95 % intervals and the noise ceiling."""
    figure, axis = panel(short(target), "", scores.label)
    draw_scores(axis, scores)
    return figure


def predicted_figure(target: str, row: str, predicted: NDArray, measured: NDArray) -> Figure:
    """Draw predictions `(N,)` against measurements `(N,)` as counts of sequences in hexagons."""
    figure, axis = panel(f"{short(target)}: {row}", "predicted", "measured")
    draw_counts(axis, predicted, measured)
    return figure


def epistemic_figure(target: str, ensemble: NDArray, student: NDArray) -> Figure:
    """Draw the student's epistemic standard deviations `(N,)` against the ensemble's."""
    figure, axis = panel(f"{short(target)}: disagreement in one pass", "ensemble's epistemic sd", "student's")
    draw_counts(axis, ensemble, student)
    return figure


def comparison_figure(arrays: HeldOut, scores: Mapping[str, TargetScores]) -> Figure:
    """Draw one row a target: scores, the student's predictions, and its epistemic uncertainty.

    Args:
        arrays: The test split with its predictions.
        scores: By target.
    """
    names = arrays.names
    figure = Figure(figsize=(12, 3.4 * len(names)), layout="constrained", dpi=120)
    axes = figure.subplots(len(names), 3, squeeze=False)
    for index, name in enumerate(names):
        left, middle, right = axes[index]
        draw_scores(left, scores[name])
        left.set(ylabel=f"{scores[name].label} on the test split", title=f"{short(name)}: who predicts best")
        middle.set(xlabel="student's prediction", ylabel="measured", title=f"{short(name)}: student")
        draw_counts(middle, arrays.student.mean[:, index], arrays.measured[:, index])
        if arrays.student.epistemic is None or arrays.ensemble.epistemic is None:
            right.set_axis_off()
            continue
        draw_counts(right, arrays.ensemble.epistemic[:, index], arrays.student.epistemic[:, index])
        right.set(xlabel="ensemble's epistemic sd", ylabel="student's", title=f"{short(name)}: one pass")
    return figure


def draw_scores(axis: Axes, scores: TargetScores) -> None:
    """Draw the scores of one target."""
    count = len(scores.members)
    offsets = np.linspace(-0.15, 0.15, count) if count > 1 else np.zeros(count)
    axis.plot(offsets, scores.members, "o", color=GREY, markersize=5)
    axis.hlines(scores.single, -0.25, 0.25, color=GREY)
    for place, (row, score) in enumerate(scores.rows.items(), start=1):
        low, high = (score.value if bound is None else bound for bound in (score.low, score.high))
        reach = [[max(0.0, score.value - low)], [max(0.0, high - score.value)]]
        axis.errorbar(place, score.value, reach, fmt="s", color=ROW_COLOURS.get(row, GREEN), capsize=4)
    if scores.ceiling is not None:
        axis.axhline(scores.ceiling, color=BLACK, linewidth=1, linestyle=":")
        corner = (0.99, scores.ceiling)
        axis.annotate("noise ceiling", corner, xycoords=("axes fraction", "data"), ha="right", va="top", fontsize=8)
    labels = ["single\nmodels", *(f"{row}\n" for row in scores.rows)]
    axis.set_xticks(range(len(labels)), labels, fontsize=8)
    axis.set_xlim(-0.5, len(labels) - 0.5)
    axis.grid(axis="y", alpha=0.3)


def draw_counts(axis: Axes, x: NDArray, y: NDArray) -> None:
    """Draw how many points lie where, darker where more do, with the line of equal values."""
    shown = np.isfinite(x) & np.isfinite(y)
    x, y = x[shown], y[shown]
    if not x.size:
        axis.annotate("no measured rows", (0.5, 0.5), xycoords="axes fraction", ha="center")
        return
    low, high = limits([*np.quantile(np.concatenate([x, y]), [0, 1])])
    if set(np.unique(y)) <= {0.0, 1.0}:
        _draw_labels(axis, x, y)
        return
    cells = axis.hexbin(
        x, y, gridsize=_BINS, bins="log", mincnt=1, cmap="Blues", vmin=0.3, linewidths=0.1,
        extent=(low, high, low, high),
    )  # fmt: skip
    # One clip path for each hexagon would be most of an SVG file.
    cells.set_clip_on(False)
    axis.axline((low, low), slope=1, color=GREY, linewidth=1, linestyle="--")
    axis.set(xlim=(low, high), ylim=(low, high))


def _draw_labels(axis: Axes, probability: NDArray, label: NDArray) -> None:
    """Draw the probabilities of both classes as two histograms."""
    edges = np.linspace(0, 1, 26)
    for value, colour, style in ((0.0, GREY, "--"), (1.0, BLUE, "-")):
        chosen = probability[label == value]
        if chosen.size:
            density = np.histogram(chosen, edges)[0] / chosen.size
            axis.stairs(density, edges, color=colour, linestyle=style, linewidth=1.5, label=f"label {value:.0f}")
    axis.legend(fontsize=8, frameon=False)
    axis.set_ylabel("part of the class")
