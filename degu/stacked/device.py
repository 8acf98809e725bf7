"""Training data on the device: tokens of one byte, gathered and encoded there."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

NUM_TOKENS = 5


class DeviceData(NamedTuple):
    """Sequences and targets as tensors of the backend.

    Attributes:
        x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        y: Targets `(N, K)`.
        weight: Weights of the sequences `(N,)`, or None.
    """

    x: Any
    y: Any
    weight: Any = None

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> DeviceData:
        """Move arrays to the device; tokens stay tokens."""
        return cls(_tensor(x), _tensor(y), None if weight is None else _tensor(weight))

    @property
    def size(self) -> int:
        """Number of sequences N."""
        return int(self.x.shape[0])

    def batch(self, rows: Any) -> tuple[Any, ...]:
        """Return the sequences `(B, L, 4)`, targets and weights of some rows, for a training step."""
        columns = [encode(ops.take(self.x, rows, axis=0)), ops.take(self.y, rows, axis=0)]
        if self.weight is not None:
            columns.append(ops.take(self.weight, rows, axis=0))
        return tuple(columns)


def encode(x: Any) -> Any:
    """Encode tokens `(B, L)` as `(B, L, 4)` float32, N as zeros; an encoded batch passes."""
    if len(x.shape) == 3:
        return ops.cast(x, "float32")
    table = np.eye(NUM_TOKENS, NUM_TOKENS - 1, dtype="float32")
    return ops.take(ops.convert_to_tensor(table), ops.cast(x, "int32"), axis=0)


def _tensor(values: ArrayLike) -> Any:
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.floating):
        return ops.convert_to_tensor(array, dtype=keras.config.floatx())
    return ops.convert_to_tensor(array)
