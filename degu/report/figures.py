"""Figures of a study, as functions of its results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from degu.ensemble.prediction import Prediction

# Okabe and Ito's colour-blind safe palette.
GREY, ORANGE, BLUE, GREEN = "#999999", "#E69F00", "#0072B2", "#009E73"


def comparison_figure(
    names: Sequence[str],
    measured: NDArray,
    ensemble: Prediction,
    student: Prediction,
    folder: Path,
) -> Path:
    """Draw one row a target: correlations side by side, predicted against measured, student against ensemble.

    Args:
        names: The K target names.
        measured: Measurements of the test split `(N, K)`.
        ensemble: The ensemble's prediction of it.
        student: The student's prediction of it.
        folder: Where `comparison.png` and `comparison.svg` are written.

    Returns:
        Path of the PNG.
    """
    figure = Figure(figsize=(12, 3.4 * len(names)), layout="constrained", dpi=120)
    axes = figure.subplots(len(names), 3, squeeze=False)
    for index, name in enumerate(names):
        _scores(axes[index, 0], measured[:, index], ensemble, student, index, name)
        _scatter(axes[index, 1], student.mean[:, index], measured[:, index], BLUE)
        axes[index, 1].set(xlabel="student's prediction", ylabel="measured", title=f"{name}: student")
        assert student.epistemic is not None
        assert ensemble.epistemic is not None
        _scatter(axes[index, 2], ensemble.epistemic[:, index], student.epistemic[:, index], GREEN)
        axes[index, 2].axline((0, 0), slope=1, color=GREY, linewidth=1, linestyle="--")
        axes[index, 2].set(
            xlabel="ensemble's epistemic uncertainty", ylabel="student's", title=f"{name}: uncertainty in one pass"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"comparison.{suffix}", metadata={"Date": None} if suffix == "svg" else None)
    return folder / "comparison.png"


def _scores(
    axis: Axes,
    measured: NDArray,
    ensemble: Prediction,
    student: Prediction,
    index: int,
    name: str,
) -> None:
    """Pearson correlation of every member, the ensemble and the student, with 95 % bootstrap intervals."""
    assert ensemble.members is not None
    singles = [_pearson(member[:, index], measured) for member in ensemble.members]
    offsets = np.linspace(-0.15, 0.15, len(singles)) if len(singles) > 1 else np.zeros(1)
    axis.plot(offsets, singles, "o", color=GREY, markersize=6)
    axis.hlines(np.mean(singles), -0.25, 0.25, color=GREY)
    for place, (mean, colour) in enumerate(((ensemble.mean, ORANGE), (student.mean, BLUE)), start=1):
        value = _pearson(mean[:, index], measured)
        low, high = _bootstrap_interval(mean[:, index], measured)
        axis.errorbar(place, value, [[value - low], [high - value]], fmt="s", color=colour, capsize=4)
    axis.set_xticks([0, 1, 2], ["single models", f"ensemble of {len(singles)}", "student"])
    axis.set(xlim=(-0.5, 2.5), ylabel="Pearson r on the test split", title=f"{name}: who predicts best")
    axis.grid(axis="y", alpha=0.3)


def _scatter(axis: Axes, x: NDArray, y: NDArray, colour: str) -> None:
    shown = np.isfinite(x) & np.isfinite(y)
    axis.scatter(x[shown], y[shown], s=5, alpha=0.3, color=colour, linewidths=0, rasterized=True)


def _pearson(x: NDArray, y: NDArray) -> float:
    measured = np.isfinite(y)
    return float(np.corrcoef(x[measured], y[measured])[0, 1])


def _bootstrap_interval(x: NDArray, y: NDArray, resamples: int = 200) -> tuple[float, float]:
    measured = np.flatnonzero(np.isfinite(y))
    generator = np.random.default_rng(0)
    values = []
    for _ in range(resamples):
        rows = generator.choice(measured, len(measured))
        values.append(_pearson(x[rows], y[rows]))
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
