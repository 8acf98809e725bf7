"""What sections of a report consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from matplotlib.figure import Figure


class Picture(NamedTuple):
    """A figure.

    Attributes:
        name: Of its files and ids: letters, digits, `_` and `-`; unique in a report.
        figure: The figure.
        caption: What is seen, in words, for those who cannot see it too.
        wide: Whether it takes the width of the page, as a PNG: a logo has too many outlines for a page in SVG.
    """

    name: str
    figure: Figure
    caption: str
    wide: bool = False


class StoredPicture(NamedTuple):
    """A PNG that the study holds already.

    Attributes:
        data: The file.
        caption: What is seen, in words.
    """

    data: bytes
    caption: str


class Table(NamedTuple):
    """A table; the first cell of a row is its heading.

    Attributes:
        caption: What it holds.
        head: Column headings.
        rows: Cells as text.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Note(NamedTuple):
    """A sentence that stands out, such as a warning."""

    text: str


class Listing(NamedTuple):
    """Text to be shown as it is, such as a config or a command line.

    Attributes:
        title: What it is.
        text: The text.
        folded: Whether it opens on a click.
    """

    title: str
    text: str
    folded: bool = False


Part = Picture | StoredPicture | Table | Note | Listing


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        name: Its anchor on the page.
        title: Its heading.
        reading: How to read it, in a sentence or two.
        parts: What it shows, in order.
        absent: Why there is nothing to show; empty where there is.
    """

    name: str
    title: str
    reading: str
    parts: Sequence[Part] = field(default=())
    absent: str = ""

    @property
    def groups(self) -> list[tuple[str, list[Part]]]:
        """The parts, with pictures that follow each other as one group, by the kind of part."""
        found: list[tuple[str, list[Part]]] = []
        for part in self.parts:
            kind = "pictures" if isinstance(part, Picture | StoredPicture) else type(part).__name__.lower()
            if found and found[-1][0] == kind == "pictures":
                found[-1][1].append(part)
            else:
                found.append((kind, [part]))
        return found


def absent(name: str, title: str, reason: str) -> Section:
    """Return a section that says why it is empty."""
    return Section(name, title, "", absent=reason)
