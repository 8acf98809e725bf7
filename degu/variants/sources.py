"""Where the letters around a variant come from: a FASTA file, or sequences that are spelled out."""

from __future__ import annotations

from typing import Protocol

from degu.data.genome import Genome, plain

__all__ = ["Genome", "Source", "Spelled"]


class Source(Protocol):
    """Sequences by name."""

    def length(self, name: str, where: str) -> int:
        """Return the length of a sequence; `where` is named if there is none."""

    def letters(self, name: str, start: int, stop: int) -> str:
        """Return the letters from `start` (from 0) to before `stop`: A, C, G, T and N, in upper case."""


class Spelled:
    """Sequences that are their own names."""

    def length(self, name: str, where: str) -> int:
        """Return the number of letters."""
        return len(name)

    def letters(self, name: str, start: int, stop: int) -> str:
        """Return some of the letters, in upper case."""
        return plain(name[start:stop])
