"""Member predictions are computed once: a cache keyed by weights and sequences."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from degu.data.row_files import TokenFile, chunks
from degu.files import DAMAGED_ARRAYS, whole

log = logging.getLogger(__name__)

_ROWS_A_READ = 2**14


class PredictionCache:
    """Keeps the last member predictions in memory, and all of them on disk if it has a folder.

    Args:
        folder: Where arrays are kept as `<key>.npy`; None keeps them in memory only.
        in_memory: How many arrays are kept in memory.
    """

    def __init__(self, folder: Path | None = None, in_memory: int = 4) -> None:
        self.folder = folder
        self.in_memory = in_memory
        self._recent: OrderedDict[str, NDArray] = OrderedDict()

    @staticmethod
    def key(made_by: list[str], x: NDArray | TokenFile) -> str:
        """Return the key of one ensemble's predictions for some sequences.

        Args:
            made_by: What the predictions depend on beside the sequences, such as digests of the members, in order.
            x: Sequences; a file of tokens has the key of the array that it holds.
        """
        content = hashlib.sha256()
        content.update("".join(made_by).encode())
        content.update(f"{x.shape}{x.dtype.str}".encode())
        for rows in chunks(len(x), _ROWS_A_READ):
            content.update(np.ascontiguousarray(x[rows]).view(np.uint8).data)
        return content.hexdigest()

    def get(self, key: str) -> NDArray | None:
        """Return the array of a key, which cannot be written to, or None."""
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        path = self._path(key)
        if path is None or not path.is_file():
            return None
        try:
            self._remember(key, np.load(path, allow_pickle=False))
        except DAMAGED_ARRAYS as error:
            log.warning("%s cannot be read (%s); it is computed anew", path, error)
            return None
        return self._recent[key]

    def put(self, key: str, values: NDArray) -> None:
        """Keep an array; on disk it appears whole or not at all."""
        self._remember(key, values)
        path = self._path(key)
        if path is None:
            return
        with whole(path) as partial:
            np.save(partial, values)

    def _remember(self, key: str, values: NDArray) -> None:
        values.setflags(write=False)
        self._recent[key] = values
        while len(self._recent) > self.in_memory:
            self._recent.popitem(last=False)

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{key}.npy"
