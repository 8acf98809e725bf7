"""Sequences that stand in more than one split: what a model has seen of its test in training."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from degu.data.kmers import among, chunks, distinct, sequence_hashes, stretch_hashes
from degu.data.splits import Splits
from degu.errors import DataError

log = logging.getLogger(__name__)

_EVERY = np.uint64(8)


class Leak(NamedTuple):
    """What two splits have in common.

    Attributes:
        first: The split that comes first: train before valid before test.
        second: The other one.
        same: Rows of the second whose sequence is in the first.
        reverse: Further rows of the second whose reverse complement is in the first.
        rows: Rows of the second.
        example: A row of the second that is one of them, counted from 0.
    """

    first: str
    second: str
    same: int
    reverse: int
    rows: int
    example: int

    def __str__(self) -> str:
        return (
            f"{self.same} of {self.rows} {self.second} sequences are also in {self.first}, and {self.reverse} more are "
            "there as their reverse complement"
        )


def find_leaks(parts: Mapping[str, npt.NDArray[np.uint8]]) -> list[Leak]:
    """Return the pairs of splits that share a sequence on either strand.

    Args:
        parts: Tokens of shape (N, L) by split; the later split of a pair is the one that leaks.
    """
    hashes = {name: sequence_hashes(tokens) for name, tokens in parts.items()}
    known = {name: distinct(own) for name, (own, _) in hashes.items()}
    found = []
    for first, second in itertools.combinations(parts, 2):
        theirs, reverse = hashes[second]
        same = among(theirs, known[first])
        turned = among(reverse, known[first]) & ~same
        both = np.flatnonzero(same | turned)
        if both.size:
            found.append(Leak(first, second, int(same.sum()), int(turned.sum()), len(theirs), int(both[0])))
    return found


def warn_of_leaks(splits: Splits) -> None:
    """Say in the log what the splits have in common.

    Args:
        splits: The data set.
    """
    leaks = find_leaks({name: split.tokens for name, split in splits.items()})
    for leak in leaks:
        log.warning("Leak: %s; for example %s", leak, dict(splits.items())[leak.second].ids[leak.example])
    if leaks:
        log.warning("Scores of sequences seen in training are too good: see degu data check and degu data split")


def shared_stretches(parts: Mapping[str, npt.NDArray[np.uint8]], k: int) -> dict[tuple[str, str], int]:
    """Count sequences of a later split that share a stretch of letters with an earlier one, on either strand.

    One in eight stretches is looked at, the same ones everywhere: the counts are lower bounds, and sequences that
    overlap by much more than k letters are hardly ever missed.

    Args:
        parts: Tokens of shape (N, L) by split.
        k: Letters of a stretch, at most L.

    Returns:
        The number of rows of the second split by pair of splits, without pairs that share none.

    Raises:
        DataError: A length that no stretch has.
    """
    if not parts:
        raise DataError("shared_stretches: expected splits, received none.")
    chosen = {name: list(_chosen(tokens, k)) for name, tokens in parts.items()}
    hashes = {name: distinct(np.concatenate([part[0] for part in found])) for name, found in chosen.items()}
    counts = {}
    for first, second in itertools.combinations(parts, 2):
        count = sum(len(set(rows[among(values, hashes[first])].tolist())) for values, rows in chosen[second])
        if count:
            counts[first, second] = count
    return counts


def _chosen(tokens: npt.NDArray[np.uint8], k: int) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.intp]]]:
    """Yield the chosen stretches of some rows, and which row each is of."""
    for part in chunks(tokens):
        values, known = stretch_hashes(tokens[part], k)
        row, place = np.nonzero(known & (values % _EVERY == 0))
        yield values[row, place], row + part.start
