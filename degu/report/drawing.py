"""How figures look, and how they become files and inline SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from degu.files import whole, write_text

# Okabe and Ito's colour-blind safe palette.
GREY, BLACK, ORANGE, BLUE, GREEN = "#999999", "#000000", "#E69F00", "#0072B2", "#009E73"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"

ROW_COLOURS = {"ensemble": ORANGE, "student": BLUE}

PANEL = (3.6, 3.1)
"""Inches of one panel: as wide as a telephone's screen, so that its text needs no shrinking there."""

_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def panel(title: str, xlabel: str, ylabel: str, size: tuple[float, float] = PANEL) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes."""
    figure = Figure(figsize=size, layout="constrained", dpi=120)
    axis = figure.subplots()
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(xlabel, fontsize=9)
    axis.set_ylabel(ylabel, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def legend(axis: Axes, location: str = "best") -> None:
    """Add a legend without a frame."""
    axis.legend(fontsize=7.5, frameon=False, loc=location)


def short(name: str, longest: int = 28) -> str:
    """Return a name that fits above a panel, with what matplotlib takes for formulas made harmless."""
    text = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return text.replace("$", r"\$")


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as `<name>.png` and `<name>.svg`, equal byte for byte for equal contents; return the SVG."""
    if engine := figure.get_layout_engine():
        # Otherwise every file would lay the figure out anew, which takes longer than drawing it.
        engine.execute(figure)
        figure.set_layout_engine(None)
    with whole(folder / f"{name}.png") as partial:
        figure.savefig(partial)
    text = svg(figure, name)
    write_text(folder / f"{name}.svg", text)
    return text


def svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG whose text stays text."""
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return buffer.getvalue()


def inline(text: str, name: str) -> str:
    """Return SVG as an element to be put into HTML.

    Text is in the reader's own font. All ids begin with the name, so that figures on one page share none, and nothing
    refers to an address.

    Args:
        text: Of `svg`.
        name: Letters, digits, `_` and `-`; unique on the page.
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", lambda tag: _inline_tag(tag[0], name), text)
    text = text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    return re.sub(r"\n\s*", "\n", text)


def _inline_tag(tag: str, name: str) -> str:
    tag = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", tag).replace("xlink:href=", "href=")
    tag = re.sub(r"font(-family)?: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font\1: \2sans-serif", tag)
    tag = re.sub(r'\bid="', f'id="{name}-', tag).replace('href="#', f'href="#{name}-')
    tag = tag.replace("url(#", f"url(#{name}-")
    # A hundredth of a point is finer than any screen.
    return re.sub(r"(\d\.\d\d)\d+", r"\1", tag)


def limits(columns: Sequence[float]) -> tuple[float, float]:
    """Return a common range of some values with a little room."""
    low, high = min(columns), max(columns)
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room
