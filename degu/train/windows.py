"""Training rows that are read from files, in an order that is random enough and cheap to read.

A file is cut into blocks of consecutive rows, about a megabyte each. In every epoch the blocks come in random order; 16
of them make a window, whose rows are shuffled. Every row comes once an epoch, and the order depends on the seed, the
epoch and the bytes of a sequence alone. Rows that stand in an order in the file, by class for example, are mixed by
blocks only: shuffle such data once before they are written.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.data.row_files import RowFile, chunks

BLOCK_BYTES = 2**20
BLOCKS_A_WINDOW = 16


class Window(NamedTuple):
    """Rows that are in memory together.

    Attributes:
        order: The order in which its rows are given out.
        columns: What was read, in the order of reading.
    """

    order: NDArray
    columns: list[NDArray]


class WindowedRows:
    """Columns of one length, at least one of them a file, read in a shuffled order; threads may share it.

    Args:
        columns: Sequences first, then targets and weights, as files or arrays.
        seed: Seed of the data order.
        epoch: Counted from 0.
    """

    def __init__(self, columns: Sequence[NDArray | RowFile], seed: int, epoch: int) -> None:
        self._columns = columns
        self._seed = (seed, epoch)
        rows = len(columns[0])
        row_bytes = int(np.prod(columns[0].shape[1:])) * columns[0].dtype.itemsize
        blocks = list(chunks(rows, max(1, BLOCK_BYTES // row_bytes)))
        order = np.random.default_rng(self._seed).permutation(len(blocks))
        self._windows = [[blocks[block] for block in order[cut]] for cut in chunks(len(blocks), BLOCKS_A_WINDOW)]
        sizes = [sum(block.stop - block.start for block in window) for window in self._windows]
        self._bounds = np.cumsum([0, *sizes])
        self._recent: dict[int, Window] = {}
        self._lock = threading.Lock()

    def take(self, start: int, stop: int) -> list[NDArray]:
        """Return the rows at some positions of the order, an array for each column.

        Args:
            start: First position, counted from 0.
            stop: Position behind the last; beyond the end, it is the end.
        """
        stop = min(stop, int(self._bounds[-1]))
        first, last = np.searchsorted(self._bounds, [start, stop - 1], side="right") - 1
        parts = [self._part(number, start, stop) for number in range(first, last + 1)]
        return parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _part(self, number: int, start: int, stop: int) -> list[NDArray]:
        """Return the rows of one window that are among some positions."""
        with self._lock:
            window = self._recent.get(number) or self._read(number)
            # threads are at most in two windows, which follow each other
            self._recent = {key: kept for key, kept in self._recent.items() if abs(key - number) == 1}
            self._recent[number] = window
        begin = int(self._bounds[number])
        rows = window.order[max(start - begin, 0) : stop - begin]
        return [column[rows] for column in window.columns]

    def _read(self, number: int) -> Window:
        """Read a window; the system is asked to read the next one in the background."""
        blocks = self._windows[number]
        size = int(self._bounds[number + 1] - self._bounds[number])
        columns = [_gathered(column, blocks, size) for column in self._columns]
        for column in self._columns:
            if isinstance(column, RowFile) and number + 1 < len(self._windows):
                for block in self._windows[number + 1]:
                    column.announce(block.start, block.stop)
        return Window(np.random.default_rng((*self._seed, number)).permutation(size), columns)


def _gathered(column: NDArray | RowFile, blocks: Sequence[slice], size: int) -> NDArray:
    """Return some blocks of a column, one behind the other."""
    values = np.empty((size, *column.shape[1:]), column.dtype)
    done = 0
    for block in blocks:
        part = values[done : done + block.stop - block.start]
        if isinstance(column, RowFile):
            column.read(block.start, block.stop, part)
        else:
            part[:] = column[block]
        done += len(part)
    return values
