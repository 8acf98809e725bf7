"""One difference between what a study claims and what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Finding(NamedTuple):
    """A difference.

    Attributes:
        part: `config`, `weights`, `data`, `file` or `metric`.
        where: Which leaf, tensor, row or number.
        expected: What the study had.
        received: What is there.
    """

    part: str
    where: str
    expected: str
    received: str


def findings_table(findings: Sequence[Finding], most: int = 40) -> list[list[str]]:
    """Return findings as cells of a table with a header; those beyond `most` are counted in the last line."""
    lines = [["part", "where", "expected", "received"], *(list(finding) for finding in findings[:most])]
    if len(findings) > most:
        lines.append(["", f"... and {len(findings) - most} more"])
    return lines
