"""What every augmentation has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from degu.augment.rows import Rows
from degu.augment.sampling import NUM_BASES
from degu.augment.seeds import SeedStream
from degu.errors import ConfigError, DataError


class Augmentation(keras.layers.Layer, ABC):
    """Abstract random change of one-hot sequences, made in training only.

    Takes and returns one-hot DNA (B, L, 4), bases in the order A, C, G, T, N as a row of zeros, in the dtype
    of the input. Without `training=True` the sequences pass unchanged. A subclass writes `transform` and, if
    it has arguments, `get_config`.

    Args:
        seed: Start of the layer's own random stream, 0 included. None takes a start from Python's `random`,
            which `keras.utils.set_random_seed` sets.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: If `seed` is neither an integer nor None.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            raise ConfigError(f"{type(self).__name__}: expected seed as an integer or None, received {seed!r}")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    @property
    def added_length(self) -> int:
        """Bases by which the output is longer than the input, in training and at inference alike."""
        return 0

    @property
    def has_own_stream(self) -> bool:
        """Whether every draw comes from the stream given to it, so that networks do not depend on each other."""
        return True

    @property
    def minimum_length(self) -> int:
        """Shortest sequence, in bases, that can be augmented."""
        return 1

    @property
    def moves_rows(self) -> bool:
        """Whether `rearrange` does without the values of the rows."""
        return False

    @abstractmethod
    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Change every sequence of a batch.

        Args:
            x: One-hot sequences (B, L, 4), already checked.
            seed: The stream to hand to every `keras.random` function; each draw takes a fresh seed from it.

        Returns:
            Sequences (B, L + added_length, 4).
        """

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Change every sequence of a batch whose rows may have numbers in their place.

        Args:
            rows: Sequences of L positions.
            seed: As in `transform`.

        Returns:
            Sequences of L + added_length positions.
        """
        return Rows(self.transform(rows.one_hot(), seed))

    def augment(
        self, x: keras.KerasTensor, seed: int | keras.random.SeedGenerator | keras.KerasTensor
    ) -> keras.KerasTensor:
        """Change every sequence of a batch with a random stream given by the caller.

        Given a `SeedGenerator` of the layer's seed, the result has the same bits as a call with
        `training=True`.

        Args:
            x: One-hot sequences (B, L, 4).
            seed: An integer, a `keras.random.SeedGenerator`, or a tensor (2,) of non-negative 32-bit
                integers.

        Returns:
            Sequences (B, L + added_length, 4) in the dtype of `x`.

        Raises:
            DataError: If `x` does not have the shape (B, L, 4) with a known, sufficient L.
            ConfigError: If `seed` is of another kind.
        """
        self._check_shape(x.shape)
        return self.transform(x, SeedStream.start(seed))

    def pad_unknown(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Lengthen sequences by `added_length` N, half at each end and the odd one at the right."""
        left = self.added_length // 2
        return ops.pad(x, [[0, 0], [left, self.added_length - left], [0, 0]]) if self.added_length else x

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Check the shape of the sequences."""
        self._check_shape(input_shape)

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Change the sequences in training; otherwise only bring them to the same length."""
        return self.augment(x, self.seed_generator) if training else self.pad_unknown(x)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape (B, L + added_length, 4)."""
        self._check_shape(input_shape)
        batch, length, bases = input_shape
        return batch, (length or 0) + self.added_length, bases

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}

    def _check_shape(self, shape: Sequence[int | None]) -> None:
        name = type(self).__name__
        if len(shape) != 3 or shape[1] is None or shape[2] != NUM_BASES:
            raise DataError(
                f"{name}: expected one-hot sequences (batch, length, 4) of one fixed length, "
                f"received the shape {tuple(shape)}"
            )
        if shape[1] < self.minimum_length:
            raise DataError(
                f"{name}: expected sequences of at least {self.minimum_length} bases, received {shape[1]}. "
                "Use longer sequences or a smaller maximum in the augmentation"
            )


class RowAugmentation(Augmentation):
    """Abstract augmentation that only moves, drops and turns positions and draws bases.

    A subclass writes `rearrange` in place of `transform`. In a `RandomSubset` it changes the numbers of rows.
    """

    @property
    def moves_rows(self) -> bool:
        """Whether `rearrange` does without the values of the rows."""
        return True

    @abstractmethod
    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Change every sequence of a batch, as rows or as numbers alike."""

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Change the sequences (B, L, 4)."""
        return self.rearrange(Rows(x), seed).one_hot()
