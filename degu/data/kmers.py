"""Which sequences are the same, which are each other's reverse complement, and which share a stretch of letters.

A sequence or a stretch is a 64-bit number: a polynomial in random odd numbers for its letters, modulo 2^64, so that the
numbers of all stretches of a row follow from two running sums. Two different stretches have the same number with a
probability of about 2^-64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from degu.data.encoding import LETTERS, UNKNOWN, check_tokens
from degu.errors import DataError

Hashes = npt.NDArray[np.uint64]
T = TypeVar("T", bound=np.generic)

_RNG = np.random.default_rng(20240501)
_LETTERS = _RNG.integers(1, 1 << 63, size=5, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN])
_CELLS = 8_000_000
"""Stretches that are sorted at once."""
_LETTERS_AT_ONCE = 2_000_000


def sequence_hashes(tokens: npt.ArrayLike) -> tuple[Hashes, Hashes]:
    """Return a number for each sequence and one for its reverse complement.

    Args:
        tokens: Shape (N, L).

    Returns:
        Two arrays of shape (N,): equal numbers are equal sequences.
    """
    array = check_tokens(tokens)
    powers = _powers(_BASE, array.shape[1])
    own, other = (np.empty(len(array), dtype=np.uint64) for _ in range(2))
    for rows in chunks(array):
        part = array[rows]
        own[rows] = _mixed((_LETTERS[part] * powers).sum(axis=1, dtype=np.uint64))
        other[rows] = _mixed((_LETTERS[_COMPLEMENT][part] * powers[::-1]).sum(axis=1, dtype=np.uint64))
    return own, other


def strandless(tokens: npt.ArrayLike) -> Hashes:
    """Return a number for each sequence, the same for its reverse complement.

    Args:
        tokens: Shape (N, L).

    Returns:
        Shape (N,).
    """
    return np.minimum(*sequence_hashes(tokens))


def stretch_hashes(tokens: npt.ArrayLike, k: int) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return a number for each stretch of k letters, the same on either strand.

    Args:
        tokens: Shape (N, L).
        k: Letters, at most L.

    Returns:
        Numbers of shape (N, L - k + 1), and whether the stretch has no N.

    Raises:
        DataError: A length that no stretch has.
    """
    array = check_tokens(tokens)
    length = array.shape[1]
    if not 1 <= k <= length:
        raise DataError(f"k: expected a number of letters from 1 to {length}, the sequences' length, received {k}.")
    up, down = _powers(_BASE, length + 1), _powers(_INVERSE, length + 1)
    last = np.arange(length - k + 1)
    own = _window_sums(_LETTERS[array] * up[:-1], k) * down[last]
    other = _window_sums(_LETTERS[_COMPLEMENT][array] * down[:-1], k) * up[last + k - 1]
    unknown = np.zeros((len(array), length + 1), dtype=np.int32)
    np.cumsum(array == UNKNOWN, axis=1, out=unknown[:, 1:])
    return _mixed(np.minimum(own, other)), unknown[:, k:] == unknown[:, :-k]


def distinct(numbers: npt.NDArray[T]) -> npt.NDArray[T]:
    """Return the different numbers in ascending order.

    `np.unique` of NumPy 2.3 and later puts numbers into a table of hashes, which is many times slower for millions.

    Args:
        numbers: Shape (N,).
    """
    ordered = np.sort(numbers)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def among(numbers: Hashes, ordered: Hashes) -> npt.NDArray[np.bool_]:
    """Say which numbers are among others, as `np.isin` does.

    Args:
        numbers: Shape (N,).
        ordered: What `distinct` returned.

    Returns:
        Shape (N,).
    """
    if not len(ordered):
        return np.zeros(len(numbers), dtype=np.bool_)
    return ordered[np.minimum(np.searchsorted(ordered, numbers), len(ordered) - 1)] == numbers


def letter_counts(tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Count A, C, G, T and N.

    Args:
        tokens: Shape (N, L).

    Returns:
        Shape (5,).
    """
    counts = np.zeros(len(LETTERS), dtype=np.intp)
    for rows in chunks(tokens):
        # bincount makes numbers of eight bytes of its argument
        counts += np.bincount(tokens[rows].ravel(), minlength=len(LETTERS))
    return counts


def similarity_groups(tokens: npt.ArrayLike, k: int) -> npt.NDArray[np.intp]:
    """Group sequences that share a stretch of k letters on either strand, directly or through others.

    Args:
        tokens: Shape (N, L).
        k: Letters of a stretch, at most L; a stretch with an N counts for nothing.

    Returns:
        The first row of each row's group, shape (N,).

    Raises:
        DataError: A length that no stretch has.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    array = check_tokens(tokens)
    same, inverse = np.unique(strandless(array), return_inverse=True)
    first = np.full(len(same), len(array))
    np.minimum.at(first, inverse, np.arange(len(array)))
    parts = list(_edges(array[first], k))
    a, b = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    graph = coo_array((np.ones(len(a), dtype=np.bool_), (a, b)), shape=(len(same), len(same)))
    _, component = connected_components(graph, directed=False)
    label = component[inverse]
    founder = np.full(int(label.max()) + 1, len(array))
    np.minimum.at(founder, label, np.arange(len(array)))
    return founder[label]


def _edges(array: npt.NDArray[np.uint8], k: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Yield pairs of rows that share a stretch, enough of them to connect all that do."""
    windows = array.shape[1] - k + 1
    hashes = np.empty((len(array), max(windows, 0)), dtype=np.uint64)
    valid = np.empty(hashes.shape, dtype=np.bool_)
    for rows in chunks(array):
        hashes[rows], valid[rows] = stretch_hashes(array[rows], k)
    flat, known = hashes.ravel(), valid.ravel()
    passes = max(1, flat.size // _CELLS)
    part_of = (flat >> np.uint64(40)) % np.uint64(passes)
    yield np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    for number in range(passes):
        places = np.flatnonzero((part_of == number) & known)
        found = flat[places]
        order = np.argsort(found)
        found, rows = found[order], places[order] // windows
        pair = np.flatnonzero((found[1:] == found[:-1]) & (rows[1:] != rows[:-1]))
        pairs = distinct(rows[pair] * len(array) + rows[pair + 1])
        yield pairs // len(array), pairs % len(array)


def _window_sums(values: Hashes, k: int) -> Hashes:
    sums = np.zeros((values.shape[0], values.shape[1] + 1), dtype=np.uint64)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums[:, k:] - sums[:, :-k]


def _powers(base: int, count: int) -> Hashes:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % (1 << 64))
    return np.array(powers[:count], dtype=np.uint64)


def _mixed(values: Hashes) -> Hashes:
    """Spread what distinguishes numbers over all their bits."""
    values = (values ^ (values >> np.uint64(32))) * _MIX
    return values ^ (values >> np.uint64(29))


def chunks(array: npt.NDArray[np.uint8]) -> Iterator[slice]:
    """Yield rows of an array `(N, L)` that are worked on at once."""
    step = max(1, _LETTERS_AT_ONCE // max(1, array.shape[1]))
    for start in range(0, len(array), step):
        yield slice(start, start + step)
