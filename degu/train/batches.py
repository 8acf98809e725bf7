"""Batches for Keras: tokens are one-hot encoded here, at the model's door."""

from __future__ import annotations

import math

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.encoding import one_hot


class Batches(keras.utils.PyDataset):
    """Batches of sequences in an order that depends on the seed and the epoch alone.

    Args:
        x: Tokens `(N, L)` uint8 (0-3 = A, C, G, T; 4 = N) or an encoded array `(N, L, 4)`.
        y: Targets `(N, K)`, or None for prediction.
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
        x: ArrayLike,
        y: ArrayLike | None = None,
        batch_size: int = 128,
        sample_weight: ArrayLike | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.x = np.asarray(x)
        self.y = None if y is None else np.asarray(y)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self.batch_size = int(batch_size)
        self.seed = seed
        self.epoch = 0
        self._check()
        self._order = self._permutation()

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> NDArray | tuple[NDArray, ...]:
        rows: slice | NDArray = slice(index * self.batch_size, (index + 1) * self.batch_size)
        if self._order is not None:
            rows = self._order[rows]
        x = encode(self.x[rows])
        if self.y is None:
            return x
        if self.sample_weight is None:
            return x, self.y[rows]
        return x, self.y[rows], self.sample_weight[rows]

    def on_epoch_end(self) -> None:
        """Move to the next epoch's order."""
        self.epoch += 1
        self._order = self._permutation()

    def _permutation(self) -> NDArray | None:
        if self.seed is None:
            return None
        return np.random.default_rng((self.seed, self.epoch)).permutation(len(self.x))

    def _check(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"Expected batch_size >= 1. Received: batch_size={self.batch_size}")
        if self.x.ndim not in (2, 3) or (self.x.ndim == 2 and self.x.dtype != np.uint8):
            raise ValueError(
                "Expected x as tokens (N, L) uint8 or encoded (N, L, 4). "
                f"Received: shape {self.x.shape}, dtype {self.x.dtype}"
            )
        for name, values in (("y", self.y), ("sample_weight", self.sample_weight)):
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"Expected {name} of length {len(self.x)}, as x. Received: {len(values)}")


def encode(x: NDArray) -> NDArray:
    """Return `(N, L, 4)` float32 from tokens `(N, L)` or from an array already encoded."""
    if x.ndim == 2:
        return one_hot(x)
    return x if x.dtype == np.float32 else x.astype(np.float32)


def predict(model: keras.Model, x: ArrayLike, batch_size: int = 512) -> NDArray:
    """Return a model's outputs for sequences, `(N, outputs)`.

    Args:
        model: Any Keras model with one sequence input.
        x: Tokens `(N, L)` uint8 or encoded `(N, L, 4)`.
        batch_size: Sequences a batch.
    """
    return np.asarray(model.predict(Batches(x, batch_size=batch_size), verbose=0))
