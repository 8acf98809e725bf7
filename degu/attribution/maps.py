"""What is done with attribution maps after they are computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.train.batches import encode


def gradient_correction(maps: ArrayLike) -> NDArray:
    """Remove the part of a map that is the same for all four letters of a position.

    Sequences are one-hot, so the four channels of a position always sum to 1, and what a network does to that sum is
    arbitrary. It is a random part of every gradient.

    Args:
        maps: Shape (..., L, 4), with a value for every letter: gradients, mutagenesis, hypothetical contributions.

    Returns:
        `A - mean over the four letters`, same shape.

    Example:
        >>> gradient_correction([[1.0, 0.0, 0.0, 3.0]])
        array([[ 0., -1., -1.,  2.]])

    References:
        Majdandzic, Rajesh, Koo (2023), "Correcting gradient-based interpretations of deep neural networks for
        genomics", doi:10.1186/s13059-023-02956-3.
    """
    maps = np.asarray(maps)
    return maps - maps.mean(axis=-1, keepdims=True)


def of_sequence(maps: ArrayLike, x: ArrayLike) -> NDArray:
    """Keep the values of the letters that a sequence has.

    Args:
        maps: Shape (..., N, L, 4), with a value for every letter.
        x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.

    Returns:
        The same shape; 0 for the other letters and where the sequence has an N.
    """
    return np.asarray(maps) * encode(np.asarray(x))
