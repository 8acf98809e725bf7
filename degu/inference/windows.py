"""From sequences of any length to rows that a model takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from degu.data.encoding import reverse_complement, tokenize
from degu.errors import DataError
from degu.inference.records import Entry, SequenceFile

_LETTERS = 1 << 23
"""Letters that are predicted together, so that memory does not grow with the file."""
_FEWEST, _MOST = 512, 1 << 16


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that are predicted together.

    Attributes:
        tokens: Shape (n, L), dtype uint8.
        entries: The sequence of each row.
        owner: Number of that sequence in the file, `(n,)`, counted from 0 and never decreasing.
        start: First letter of each row in its sequence, `(n,)`, counted from 0.
    """

    tokens: NDArray[np.uint8]
    entries: list[Entry]
    owner: NDArray[np.intp]
    start: NDArray[np.intp]


@dataclass(frozen=True)
class Windows:
    """How sequences become rows.

    Attributes:
        length: Letters L that the model takes.
        stride: Letters from the start of a window to that of the next; the last window ends with the sequence. None
            takes sequences of L letters only.
    """

    length: int
    stride: int | None = None

    @property
    def size(self) -> int:
        """Rows that are predicted together."""
        return min(max(_LETTERS // self.length, _FEWEST), _MOST)

    def starts(self, letters: int) -> NDArray[np.intp]:
        """Return where the windows of a sequence start.

        Example:
            >>> Windows(length=4, stride=3).starts(9).tolist()
            [0, 3, 5]
        """
        last = letters - self.length
        starts = np.arange(0, last + 1, self.stride or self.length)
        return starts if starts[-1] == last else np.append(starts, last)

    def rows(self, file: SequenceFile, size: int | None = None) -> Iterator[Rows]:
        """Yield all rows of a file.

        Args:
            file: The sequences.
            size: Rows that are yielded together; None for `size`.

        Raises:
            DataError: When a sequence has another length, or another letter than A, C, G, T and N.
        """
        size = size or self.size
        yield from self._single(file, size) if self.stride is None else _joined(self._several(file, size), size)

    def _single(self, file: SequenceFile, size: int) -> Iterator[Rows]:
        entries = iter(file)
        done = 0
        while part := list(itertools.islice(entries, size)):
            for entry in part:
                self._check_length(file, entry)
            tokens = _tokens(file, part)
            yield Rows(tokens, part, np.arange(done, done + len(part)), np.zeros(len(part), np.intp))
            done += len(part)

    def _several(self, file: SequenceFile, size: int) -> Iterator[Rows]:
        for number, entry in enumerate(file):
            self._check_length(file, entry)
            (tokens,) = _tokens(file, [entry])
            views = np.lib.stride_tricks.sliding_window_view(tokens, self.length)
            starts = self.starts(len(tokens))
            for first in range(0, len(starts), size):
                chosen = starts[first : first + size]
                yield Rows(views[chosen], [entry] * len(chosen), np.full(len(chosen), number), chosen)

    def _check_length(self, file: SequenceFile, entry: Entry) -> None:
        found = len(entry.letters)
        if found < self.length:
            raise DataError(
                f"{file.path}, {entry.place}: expected {self.length} letters, as the study's models take, received "
                f"{found}. Extend the sequence with its context, or with N where nothing is known."
            )
        if found > self.length and self.stride is None:
            raise DataError(
                f"{file.path}, {entry.place}: expected {self.length} letters, as the study's models take, received "
                f"{found}. Trim the sequence, or predict windows of it with --window."
            )


def _tokens(file: SequenceFile, entries: list[Entry]) -> NDArray[np.uint8]:
    tokens = tokenize(
        [entry.letters for entry in entries], where=str(file.path), name_row=lambda row: entries[row].place
    )
    reverse = np.array([entry.is_reverse for entry in entries])
    if reverse.any():
        tokens[reverse] = reverse_complement(tokens[reverse])
    return tokens


def _joined(pieces: Iterable[Rows], size: int) -> Iterator[Rows]:
    """Put the windows of short sequences together."""
    waiting: list[Rows] = []
    count = 0
    for piece in pieces:
        if count + len(piece.tokens) > size and waiting:
            yield _put_together(waiting)
            waiting, count = [], 0
        waiting.append(piece)
        count += len(piece.tokens)
    if waiting:
        yield _put_together(waiting)


def _put_together(pieces: list[Rows]) -> Rows:
    return Rows(
        np.concatenate([piece.tokens for piece in pieces]),
        [entry for piece in pieces for entry in piece.entries],
        np.concatenate([piece.owner for piece in pieces]),
        np.concatenate([piece.start for piece in pieces]),
    )
