"""Batches for Keras: tokens are one-hot encoded here, at the model's door."""

from __future__ import annotations

import math

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.encoding import one_hot
from degu.data.row_files import RowFile, TokenFile
from degu.train.windows import WindowedRows

_READERS = 2
_BATCHES_AHEAD = 4


class Batches(keras.utils.PyDataset):
    """Batches of sequences in an order that depends on the seed and the epoch alone.

    Arrays are shuffled whole. A file is shuffled by blocks and within windows of blocks; see `degu.train.windows`.

    Args:
        x: Tokens `(N, L)` uint8 (0-3 = A, C, G, T; 4 = N), an encoded array `(N, L, 4)` or a `degu.data.TokenFile`.
        y: Targets `(N, K)`, also as a `degu.data.RowFile`, or None for prediction.
        batch_size: Sequences a batch; the last batch may be smaller.
        sample_weight: `(N,)` weights, or None.
        seed: Seed of the shuffled order; None keeps the given order.

    Raises:
        ValueError: When the arrays differ in length or `x` has neither form.

    Example:
        >>> batches = Batches(np.zeros((5, 3), np.uint8), batch_size=2)
        >>> len(batches), batches[0].shape
        (3, (2, 3, 4))
    """

    def __init__(
        self,
        x: ArrayLike | TokenFile,
        y: ArrayLike | RowFile | None = None,
        batch_size: int = 128,
        sample_weight: ArrayLike | None = None,
        seed: int | None = None,
    ) -> None:
        self.x = sequences(x)
        self.y = None if y is None else _rows(y)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self.batch_size = int(batch_size)
        self.seed = seed
        self.epoch = 0
        self._check()
        # Keras reads ahead without a limit unless it is given more than one worker.
        super().__init__(workers=_READERS if self._is_read_from_file else 1, max_queue_size=_BATCHES_AHEAD)
        self._order = self._permutation()

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> NDArray | tuple[NDArray, ...]:
        start, stop = index * self.batch_size, (index + 1) * self.batch_size
        if isinstance(self._order, WindowedRows):
            x, *others = self._order.take(start, stop)
        else:
            rows = slice(start, stop) if self._order is None else self._order[start:stop]
            x, *others = (column[rows] for column in self._columns)
        return (encode(x), *others) if others else encode(x)

    def on_epoch_end(self) -> None:
        """Move to the next epoch's order."""
        self.start_epoch(self.epoch + 1)

    def start_epoch(self, epoch: int) -> None:
        """Take the order of an epoch, counted from 0."""
        self.epoch = epoch
        self._order = self._permutation()

    def rows(self, index: int) -> NDArray | None:
        """Return the rows of a batch, counted from 0; None where they are read from a file."""
        if isinstance(self._order, WindowedRows):
            return None
        rows = np.arange(len(self.x)) if self._order is None else self._order
        return rows[index * self.batch_size : (index + 1) * self.batch_size]

    @property
    def _columns(self) -> list[NDArray | RowFile]:
        return [column for column in (self.x, self.y, self.sample_weight) if column is not None]

    @property
    def _is_read_from_file(self) -> bool:
        return any(isinstance(column, RowFile) for column in self._columns)

    def _permutation(self) -> NDArray | WindowedRows | None:
        if self.seed is None:
            return None
        if self._is_read_from_file:
            return WindowedRows(self._columns, self.seed, self.epoch)
        return epoch_order(self.seed, self.epoch, len(self.x))

    def _check(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"Expected batch_size >= 1. Received: batch_size={self.batch_size}")
        for name, values in (("y", self.y), ("sample_weight", self.sample_weight)):
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"Expected {name} of length {len(self.x)}, as x. Received: {len(values)}")


def epoch_order(seed: int, epoch: int, rows: int) -> NDArray:
    """Return the order of the rows in one epoch of a training, `(rows,)`.

    Args:
        seed: Seed of the data order.
        epoch: Counted from 0 in every fit.
        rows: Number of sequences.
    """
    return np.random.default_rng((seed, epoch)).permutation(rows)


def sequences(x: ArrayLike | TokenFile) -> NDArray | TokenFile:
    """Return sequences as an array, or the file that they are in; what is neither is refused.

    Raises:
        ValueError: When `x` is neither tokens nor encoded.
    """
    array = x if isinstance(x, TokenFile) else np.asarray(x)
    if array.ndim not in (2, 3) or (array.ndim == 2 and array.dtype != np.uint8):
        raise ValueError(
            "Expected x as tokens (N, L) uint8 or encoded (N, L, 4). "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    return array


def _rows(values: ArrayLike | RowFile) -> NDArray | RowFile:
    return values if isinstance(values, RowFile) else np.asarray(values)


def encode(x: NDArray) -> NDArray:
    """Return `(N, L, 4)` float32 from tokens `(N, L)` or from an array already encoded."""
    if x.ndim == 2:
        return one_hot(x)
    return x if x.dtype == np.float32 else x.astype(np.float32)


def predict(model: keras.Model, x: ArrayLike | TokenFile, batch_size: int = 512) -> NDArray:
    """Return a model's outputs for sequences, `(N, outputs)`.

    Args:
        model: Any Keras model with one sequence input.
        x: Tokens `(N, L)` uint8, encoded `(N, L, 4)` or a `degu.data.TokenFile`.
        batch_size: Sequences a batch.
    """
    return np.asarray(model.predict(Batches(x, batch_size=batch_size), verbose=0))
