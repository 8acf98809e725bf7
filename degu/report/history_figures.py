"""Figures of training: losses by epoch, with the best epoch marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from degu.report.drawing import BLUE, GREY, ORANGE, VERMILION, legend, panel

Histories = Mapping[str, Mapping[str, Sequence[float]]]


def best_epoch(history: Mapping[str, Sequence[float]]) -> int | None:
    """Return the epoch with the lowest validation loss, counted from 1; None where there is no finite one."""
    losses = np.array(history.get("val_loss", ()), dtype=np.float64)
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None


def members_figure(histories: Histories) -> Figure:
    """Draw the validation loss of every member.

    Args:
        histories: Of the members, by name.
    """
    figure, axis = panel("Members: validation loss", "epoch", "loss")
    for index, history in enumerate(histories.values()):
        _line(axis, history.get("val_loss", ()), ORANGE, "each member" if index == 0 else None)
        _mark(axis, history, "best epoch" if index == 0 else None)
    legend(axis)
    return figure


def student_figure(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the training and validation loss of the student."""
    figure, axis = panel("Student: loss", "epoch", "loss")
    _line(axis, history.get("loss", ()), GREY, "training", "--")
    _line(axis, history.get("val_loss", ()), BLUE, "validation")
    _mark(axis, history, "best epoch")
    legend(axis)
    return figure


def _line(axis: Axes, losses: Sequence[float], colour: str, label: str | None, style: str = "-") -> None:
    axis.plot(range(1, len(losses) + 1), losses, style, color=colour, linewidth=1.2, alpha=0.8, label=label)


def _mark(axis: Axes, history: Mapping[str, Sequence[float]], label: str | None) -> None:
    epoch = best_epoch(history)
    if epoch is not None:
        axis.plot(epoch, history["val_loss"][epoch - 1], "o", color=VERMILION, markersize=5, label=label, zorder=3)
