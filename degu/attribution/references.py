"""Sequences to compare with, made once and stored, so that all models are explained against the same ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.dinucleotides import shuffle_dinucleotides
from degu.data.encoding import check_tokens, tokens_from_one_hot
from degu.data.lines import existing_file
from degu.errors import DataError
from degu.files import DAMAGED_ARRAYS, read_arrays
from degu.seeds import derive_seed


@dataclass(frozen=True, eq=False)
class References:
    """R references of every sequence, and where on the way from each a gradient is taken.

    Attributes:
        tokens: Shape (N, R, L), dtype uint8.
        shares: Share of the way from reference to sequence, in (0, 1), shape (N, R), dtype float32.
        digest: SHA-256 (hex) of the sequences that they were made for.
    """

    tokens: NDArray[np.uint8]
    shares: NDArray[np.float32]
    digest: str

    def check(self, x: ArrayLike) -> None:
        """Refuse other sequences than those that the references were made for.

        Args:
            x: Tokens `(N, L)` or one-hot sequences `(N, L, 4)`.

        Raises:
            DataError: When they differ.
        """
        tokens = _tokens(x)
        if _digest(tokens) != self.digest:
            raise DataError(
                f"references: expected the {len(self.tokens)} sequences of {self.tokens.shape[-1]} letters that they "
                f"were made for, received {len(tokens)} others of {tokens.shape[1]}. Make references for these."
            )

    def save(self, path: str | Path) -> None:
        """Write the references to a `.npz` file."""
        np.savez_compressed(path, tokens=self.tokens, shares=self.shares, digest=np.array(self.digest))

    @classmethod
    def load(cls, path: str | Path) -> References:
        """Read references from a `.npz` file.

        Raises:
            DataError: When there is no such file, or it holds something else.
        """
        file = existing_file(path)
        try:
            arrays = read_arrays(file)
            return cls(arrays["tokens"], arrays["shares"], str(arrays["digest"]))
        except (KeyError, *DAMAGED_ARRAYS) as error:
            raise DataError(f"{file}: expected references written by degu, received: {error}.") from error


def dinucleotide_references(x: ArrayLike, num_references: int = 100, seed: int = 0) -> References:
    """Shuffle every sequence such that its dinucleotides stay.

    The points on the ways are spread evenly: one in each of R equal stretches, in random order.

    Args:
        x: Tokens `(N, L)` uint8 or one-hot sequences `(N, L, 4)`.
        num_references: References R a sequence.
        seed: Seed of the draws.

    Returns:
        The references. They depend on sequences, number and seed alone.

    Raises:
        DataError: When a sequence is neither tokens nor one-hot, or there is no reference.
    """
    tokens = _tokens(x)
    shuffled = shuffle_dinucleotides(tokens, num_references, derive_seed(seed, "references"))
    generator = np.random.default_rng(derive_seed(seed, "shares"))
    stretch = generator.permuted(np.tile(np.arange(num_references), (len(tokens), 1)), axis=1)
    shares = (stretch + generator.random(stretch.shape)) / num_references
    return References(shuffled, shares.astype(np.float32), _digest(tokens))


def _tokens(x: ArrayLike) -> NDArray[np.uint8]:
    array = np.asarray(x)
    return check_tokens(array) if array.ndim == 2 else tokens_from_one_hot(array)


def _digest(tokens: NDArray[np.uint8]) -> str:
    return hashlib.sha256(f"{tokens.shape}".encode() + tokens.tobytes()).hexdigest()
