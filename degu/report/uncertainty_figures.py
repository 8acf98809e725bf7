"""Figures of uncertainty: calibration, coverage and sparsification, from the curves that an evaluation wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from degu.report.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    ROW_COLOURS,
    SKY,
    VERMILION,
    legend,
    panel,
    short,
)

Curve = Mapping[str, Sequence[float]]
"""Equally long lists by name."""

_KIND_STYLES = {
    "epistemic": (VERMILION, ":", "v"),
    "aleatoric": (PURPLE, "-.", "s"),
    "total": (BLUE, "--", "o"),
    "total_calibrated": (GREEN, "-", "D"),
}
_OTHERS = (ORANGE, BLUE, GREEN, PURPLE, SKY, VERMILION)


def calibration_figure(target: str, row: str, curves: Mapping[str, Curve]) -> Figure:
    """Draw how much of the measurements lies in intervals against how much should.

    Args:
        target: The target's name.
        row: Whose intervals.
        curves: By what was done to them, `expected` and `observed`, and where it is known the band `lower` to `upper`
            in which a calibrated model would lie.
    """
    figure, axis = panel(f"{short(target)}: {row}", "expected part", "observed part")
    axis.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
    last = list(curves.values())[-1]
    if last.get("lower") and last.get("upper"):
        axis.fill_between(last["expected"], last["lower"], last["upper"], color=GREY, alpha=0.25, linewidth=0)
    for index, (label, curve) in enumerate(curves.items()):
        is_last = index == len(curves) - 1
        colour = ROW_COLOURS.get(row, GREEN) if is_last else BLACK
        axis.plot(curve["expected"], curve["observed"], "-" if is_last else ":", color=colour, label=label)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    legend(axis, "upper left")
    return figure


def coverage_figure(target: str, row: str, curves: Mapping[str, Curve]) -> Figure:
    """Draw the coverage of intervals against their confidence level.

    Args:
        target: The target's name.
        row: Whose intervals.
        curves: By kind of uncertainty, `level` and `coverage`.
    """
    figure, axis = panel(f"{short(target)}: {row}", "confidence level", "coverage on test")
    axis.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
    for index, (kind, curve) in enumerate(curves.items()):
        colour, style, marker = _KIND_STYLES.get(kind, (_OTHERS[index % len(_OTHERS)], "-", "o"))
        label = kind.replace("_", ", ")
        axis.plot(curve["level"], curve["coverage"], style, color=colour, marker=marker, markersize=3, label=label)
    lowest = min((min(curve["level"], default=0.5) for curve in curves.values()), default=0.5)
    axis.set(xlim=(lowest - 0.05, 1.0), ylim=(0, 1.02))
    legend(axis)
    return figure


def sparsification_figure(target: str, curves: Mapping[str, Curve]) -> Figure:
    """Draw the error of the sequences that remain when the least certain ones are removed.

    Args:
        target: The target's name.
        curves: By row, `removed`, `error`, and where they are known `oracle` and `random`.
    """
    figure, axis = panel(short(target), "part removed, least certain first", "error of the rest")
    for row, curve in curves.items():
        colour = ROW_COLOURS.get(row, GREEN)
        axis.plot(curve["removed"], curve["error"], color=colour, label=row.replace("_", " "))
        if curve.get("oracle"):
            axis.plot(curve["removed"], curve["oracle"], ":", color=colour)
        if curve.get("random"):
            axis.plot(curve["removed"], curve["random"], "--", color=colour, alpha=0.6)
    axis.axhline(0, color=BLACK, linewidth=0.5)
    legend(axis, "lower left")
    return figure
