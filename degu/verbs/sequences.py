"""Sequences of a file that a user names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.data.delimited import read_columns
from degu.data.encoding import tokenize
from degu.data.lines import existing_file, lines_of
from degu.errors import DataError


class NamedSequences(NamedTuple):
    """Sequences with names.

    Attributes:
        ids: N names, each one word.
        tokens: Shape (N, L), dtype uint8.
    """

    ids: list[str]
    tokens: NDArray[np.uint8]


def read_sequences(path: str | Path, length: int) -> NamedSequences:
    """Read the sequences of a FASTA file, or the column `sequence` of a table.

    Args:
        path: `.fa` or `.fasta`, or a table `.tsv` or `.csv`, whose rows are named after their lines; each also `.gz`.
        length: Letters of every sequence.

    Raises:
        DataError: When the file cannot be read, or a sequence has another length.
    """
    file = existing_file(path)
    if Path(file.name.removesuffix(".gz")).suffix.lower() in (".fa", ".fasta"):
        records = list(_records(file))
    else:
        table = read_columns(file, ["sequence"])
        records = [(f"row{line}", cell) for line, cell in zip(table.lines, table.columns["sequence"], strict=True)]
    for name, letters in records:
        if len(letters) != length:
            raise DataError(
                f"{file}, {name}: expected {length} letters, as the study's models take, received {len(letters)}."
            )
    if not records:
        raise DataError(f"{file}: expected sequences, received none.")
    ids = [name for name, _ in records]
    return NamedSequences(ids, tokenize([letters for _, letters in records], where=str(file), name_row=ids.__getitem__))


def _records(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the names, up to the first space, and letters of a FASTA file."""
    name, parts = "", list[str]()
    for number, line in enumerate(lines_of(path), start=1):
        text = line.strip()
        if text.startswith(">"):
            if name:
                yield name, "".join(parts)
            words = text[1:].split()
            name, parts = words[0] if words else f"line{number}", []
        elif text and not name:
            raise DataError(f"{path}, line {number}: expected '>' and a name, received {text[:20]!r}.")
        else:
            parts.append(text)
    if name:
        yield name, "".join(parts)
