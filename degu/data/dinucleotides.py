"""Random sequences with the dinucleotides of given ones, every such sequence being equally likely.

A sequence is a walk over its letters: every pair of neighbours is an edge, and another walk over the same edges is a
sequence with the same dinucleotides. Walks are drawn as by Altschul and Erickson: choose for every letter the edge by
which it is left for the last time, such that these edges lead from everywhere to the last letter, put the other edges
of every letter in random order, and walk. With five letters there are 125 ways of choosing last edges (trees that lead
to one root), so they are weighed and drawn directly, for all sequences at once and without rejection.

References:
    Altschul, Erickson (1985), "Significance of nucleotide sequence alignments: a method for random sequence
    permutation that preserves dinucleotide and codon usage", doi:10.1093/oxfordjournals.molbev.a040370.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.encoding import LETTERS, check_tokens
from degu.errors import DataError

_COUNT = len(LETTERS)
_CELLS = 4_000_000
"""Letters that are worked on at once."""


def shuffle_dinucleotides(tokens: ArrayLike, num_shuffles: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """Draw sequences that have the same dinucleotides, and hence the same letters and the same first and last one.

    An N counts as a fifth letter. A sequence that nothing else can be made of is returned as it is.

    Args:
        tokens: Shape (N, L).
        num_shuffles: Draws R for every sequence, independent and with replacement.
        seed: Seed of all draws, at least 0.

    Returns:
        Tokens of shape (N, R, L).

    Raises:
        DataError: Another shape, values that are not tokens, or fewer than one draw.
    """
    array = check_tokens(tokens)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"tokens: expected shape (N, L) with L at least 1, received {array.shape}.")
    if num_shuffles < 1:
        raise DataError(f"num_shuffles: expected at least 1, received {num_shuffles}.")
    shuffled = np.empty((len(array), num_shuffles, array.shape[1]), dtype=np.uint8)
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // (num_shuffles * array.shape[1]))
    for start in range(0, len(array), step):
        part = array[start : start + step]
        shuffled[start : start + step] = _walks(part, generator.random((len(part), *shuffled.shape[1:])))
    return shuffled


def _walks(tokens: NDArray[np.uint8], random: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Draw walks over the edges of tokens (n, L), from numbers in [0, 1) of shape (n, R, L)."""
    source, goal = tokens[:, :-1].astype(np.intp), tokens[:, 1:]
    rows = np.arange(len(tokens))
    edges = np.zeros((len(tokens), _COUNT, _COUNT))
    np.add.at(edges, (rows[:, None], source, goal), 1.0)
    parents = _last_goals(edges, tokens[:, -1], random[..., 0])
    keys = 0.5 * random[..., 1:] + source[:, None, :]
    _put_last(keys, source, goal, parents)
    order = np.argsort(keys, axis=-1)
    successors = np.take_along_axis(np.broadcast_to(goal[:, None, :], keys.shape), order, axis=-1)
    leaving = edges.sum(axis=2)
    first_edge = (leaving.cumsum(axis=1) - leaving).astype(np.intp)
    return _walk(tokens[:, 0], successors, first_edge)


def _last_goals(
    edges: NDArray[np.float64], last: NDArray[np.uint8], random: NDArray[np.float64]
) -> NDArray[np.integer]:
    """Draw where every letter is left to for the last time, shape (n, R, letters), by the number of such edges."""
    rows = np.arange(len(edges))
    choices = edges.copy()
    row, absent = np.nonzero(edges.sum(axis=2) == 0)
    choices[row, absent, last[row]] = 1.0
    choices[rows, last, last] = 1.0
    trees = _trees()[last]
    weights = choices[rows[:, None, None], np.arange(_COUNT), trees].prod(axis=2)
    summed = weights.cumsum(axis=1)
    drawn = (summed[:, None, :] <= (random * summed[:, -1:])[..., None]).sum(axis=2)
    return trees[rows[:, None], drawn]


def _put_last(
    keys: NDArray[np.float64], source: NDArray[np.intp], goal: NDArray[np.uint8], parents: NDArray[np.integer]
) -> None:
    """Give an edge from every letter to its parent the largest key of that letter, in place."""
    rows = np.arange(len(keys))
    place = np.full((len(keys), _COUNT, _COUNT), -1)
    place[rows[:, None], source, goal] = np.arange(source.shape[1])
    letters = np.arange(_COUNT)
    places = place[rows[:, None, None], letters, parents]
    # The root is its own parent in a tree, and its edges may come in any order.
    row, draw, letter = np.nonzero((places >= 0) & (parents != letters))
    keys[row, draw, places[row, draw, letter]] = letter + 0.75


def _walk(first: NDArray[np.uint8], successors: NDArray[np.uint8], first_edge: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Follow the edges of every letter in their order; all walks take a step at once."""
    count, draws, steps = successors.shape
    walks = np.empty((steps + 1, count * draws), dtype=np.uint8)
    letter = np.repeat(first, draws).astype(np.intp)
    own = np.arange(count * draws)
    following = (np.repeat(first_edge, draws, axis=0) + own[:, None] * steps).ravel()
    flat = successors.ravel()
    walks[0] = letter
    for step in range(1, steps + 1):
        place = own * _COUNT + letter
        edge = following[place]
        following[place] = edge + 1
        letter = flat[edge].astype(np.intp)
        walks[step] = letter
    return walks.T.reshape(count, draws, steps + 1)


@functools.cache
def _trees() -> NDArray[np.intp]:
    """Return all trees that lead to each letter: parents of every letter, shape (roots, 125, letters)."""
    parents = np.array(list(itertools.product(range(_COUNT), repeat=_COUNT)))
    reached = parents
    for _ in range(_COUNT):
        reached = np.take_along_axis(parents, reached, axis=1)
    letters = range(_COUNT)
    return np.stack([parents[(reached == root).all(axis=1) & (parents[:, root] == root)] for root in letters])
