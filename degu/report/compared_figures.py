"""Figures of several studies: a metric over seeds, with its confidence intervals, for every setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from degu.report.compared import Line
from degu.report.drawing import BLACK, GREEN, GREY, PURPLE, ROW_COLOURS, SKY, legend, short
from degu.report.table import LABELS

COLOURS = {"single_mean": GREY, **ROW_COLOURS}
OTHERS = (GREEN, PURPLE, SKY, BLACK)
MEAN = "mean"
"""Stands for the mean over targets."""
ACRONYMS = ("auroc", "ause", "crps", "ence", "mse", "nll", "rmse")
NAMES = {"single_mean": "single models"}


def settings_figure(names: Sequence[str], lines: Sequence[Line], metric: str) -> Figure:
    """Draw a metric of every model and setting, one panel a target, with 95 % intervals over seeds.

    Where the studies differ in one number, that number is the horizontal axis; otherwise every setting is a row.
    Settings with different targets, such as data sets, are drawn in one panel by the mean over their targets.

    Args:
        names: The settings that differ.
        lines: Of `degu.report.compared.lines_of`.
        metric: `<split>/<family>/<metric>`.
    """
    drawn = [line for line in lines if line.metric == metric and not line.minus and not line.against]
    settings = list(dict.fromkeys(line.setting for line in drawn))
    models = list(dict.fromkeys(line.model for line in drawn))
    targets = _targets(drawn, settings)
    is_curve = len(names) == 1 and len(settings) > 2 and all(_is_finite(value) for (value,) in settings)
    height = 3.2 if is_curve else 1.2 + 0.16 * len(settings) * (len(models) + 1)
    width = 1.6 + (3.2 if len(targets) > 1 else 4.6) * len(targets)
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    axes = figure.subplots(1, len(targets), sharey=not is_curve, squeeze=False)[0]
    label = _metric_label(metric)
    for axis, target in zip(axes, targets, strict=True):
        own = [line for line in drawn if line.target == target]
        axis.set_title("mean over targets" if target == MEAN else short(target), fontsize=10)
        if is_curve:
            _draw_curves(axis, own, models)
            axis.set_xlabel(names[0], fontsize=9)
        else:
            _draw_rows(axis, own, settings, models)
            axis.set_xlabel(label, fontsize=9)
    if is_curve:
        axes[0].set_ylabel(label, fontsize=9)
    else:
        axes[0].set_yticks(range(len(settings)), [_label(names, setting) for setting in settings], fontsize=8)
        axes[0].invert_yaxis()
    legend(axes[-1])
    return figure


def _metric_label(metric: str) -> str:
    """Return a metric in words: `Pearson r`, `CRPS, total calibrated`, or `epistemic AUROC, shuffled`."""
    _, family, *place, name = metric.split("/")
    words = LABELS.get(name) or " ".join(w.upper() if w in ACRONYMS else w for w in name.split("_"))
    if not place and family.startswith(("uncertainty_", "conformal_")):
        place = [family.removeprefix("uncertainty_")]
    return f"{words}, {place[0].replace('_', ' ')}" if place else words


def _targets(lines: Sequence[Line], settings: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the targets that have a panel: those that all settings share, or their mean."""
    of = [{line.target for line in lines if line.setting == setting} - {MEAN} for setting in settings]
    alike = all(found == of[0] for found in of)
    return [target for target in dict.fromkeys(line.target for line in lines) if alike and target != MEAN] or [MEAN]


def _draw_curves(axis: Axes, lines: Sequence[Line], models: Sequence[str]) -> None:
    for index, (model, colour) in enumerate(_colours(models)):
        own = sorted((line for line in lines if line.model == model), key=lambda line: float(line.setting[0]))
        values = np.array([float(line.setting[0]) for line in own])
        places = values * (1 + 0.012 * (index - (len(models) - 1) / 2))
        means, errors = _bars(own)
        axis.errorbar(
            places, means, errors, fmt="o-", color=colour, markersize=4, capsize=2, linewidth=1, label=_name(model)
        )
        axis.set_xticks(values, [line.setting[0] for line in own])
    _finish(axis, "y")


def _draw_rows(axis: Axes, lines: Sequence[Line], settings: Sequence[tuple[str, ...]], models: Sequence[str]) -> None:
    for index, (model, colour) in enumerate(_colours(models)):
        own = [line for line in lines if line.model == model]
        places = np.array([settings.index(line.setting) for line in own]) + 0.8 * ((index + 0.5) / len(models) - 0.5)
        means, errors = _bars(own)
        axis.errorbar(means, places, xerr=errors, fmt="o", color=colour, markersize=4, capsize=2, label=_name(model))
    _finish(axis, "x")


def _bars(lines: Sequence[Line]) -> tuple[NDArray, NDArray]:
    """Return means and the lengths of their intervals below and above."""
    means = np.array([line.estimate.mean for line in lines])
    bounds = np.array([[line.estimate.low, line.estimate.high] for line in lines]).reshape(-1, 2)
    return means, np.nan_to_num(np.abs(bounds - means[:, None])).T


def _colours(models: Sequence[str]) -> list[tuple[str, str]]:
    others = iter(OTHERS * len(models))
    return [(model, COLOURS[model] if model in COLOURS else next(others)) for model in models]


def _name(model: str) -> str:
    return NAMES.get(model, model.replace("_", " "))


def _finish(axis: Axes, grid: Literal["x", "y"]) -> None:
    axis.tick_params(labelsize=8)
    axis.grid(axis=grid, color="#DDDDDD", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _label(names: Sequence[str], setting: Sequence[str]) -> str:
    """Return a setting in few words: values, behind their key where they are numbers."""
    words = [
        value if not _is_number(value) else f"{name.rpartition('.')[2]} {value}"
        for name, value in zip(names, setting, strict=True)
    ]
    return short("\n".join(words), 60) or "all studies"


def _is_number(text: str) -> bool:
    return _is_finite(text) or text.lower() in ("true", "false", "null", "none", "default", "inf", "nan")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
