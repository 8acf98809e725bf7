"""Figures of several studies: a metric over seeds, with its confidence intervals, for every setting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from degu.report.compared import Line
from degu.report.drawing import BLACK, GREEN, GREY, PURPLE, ROW_COLOURS, SKY, legend, short
from degu.report.table import LABELS

COLOURS = {"single_mean": GREY, **ROW_COLOURS}
OTHERS = (GREEN, PURPLE, SKY, BLACK)
NAMES = {"single_mean": "single models"}


def settings_figure(names: Sequence[str], lines: Sequence[Line], metric: str) -> Figure:
    """Draw a metric of every model and setting, one panel a target, with 95 % intervals over seeds.

    Args:
        names: The settings that differ.
        lines: Of `degu.report.compared.lines_of`.
        metric: `<split>/<family>/<metric>`.
    """
    drawn = [line for line in lines if line.metric == metric and not line.minus and not line.against]
    settings = list(dict.fromkeys(line.setting for line in drawn))
    models = list(dict.fromkeys(line.model for line in drawn))
    targets = [target for target in dict.fromkeys(line.target for line in drawn) if target != "mean"] or ["mean"]
    height = 1.2 + 0.16 * len(settings) * (len(models) + 1)
    figure = Figure(figsize=(1.6 + 3.0 * len(targets), height), layout="constrained", dpi=120)
    axes = figure.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for axis, target in zip(axes, targets, strict=True):
        _draw(axis, [line for line in drawn if line.target == target], settings, models)
        axis.set_title(short(target), fontsize=10)
        axis.set_xlabel(LABELS.get(metric.rpartition("/")[2], metric), fontsize=9)
    labels = [_label(names, setting) for setting in settings]
    axes[0].set_yticks(range(len(settings)), labels, fontsize=8)
    axes[0].invert_yaxis()
    legend(axes[-1])
    return figure


def _draw(axis: Axes, lines: Sequence[Line], settings: Sequence[tuple[str, ...]], models: Sequence[str]) -> None:
    others = iter(OTHERS * len(models))
    for index, model in enumerate(models):
        own = [line for line in lines if line.model == model]
        places = np.array([settings.index(line.setting) for line in own]) + 0.8 * ((index + 0.5) / len(models) - 0.5)
        means = np.array([line.estimate.mean for line in own])
        bounds = np.array([[line.estimate.low, line.estimate.high] for line in own]).reshape(-1, 2)
        errors = np.nan_to_num(np.abs(bounds - means[:, None])).T
        colour = COLOURS[model] if model in COLOURS else next(others)
        label = NAMES.get(model, model.replace("_", " "))
        axis.errorbar(means, places, xerr=errors, fmt="o", color=colour, markersize=4, capsize=2, label=label)
    axis.tick_params(labelsize=8)
    axis.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _label(names: Sequence[str], setting: Sequence[str]) -> str:
    """Return a setting in few words: values, behind their key where they are numbers."""
    words = [
        value if not _is_number(value) else f"{name.rpartition('.')[2]} {value}"
        for name, value in zip(names, setting, strict=True)
    ]
    return short("\n".join(words), 60) or "all studies"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("true", "false", "null", "default")
    return True
