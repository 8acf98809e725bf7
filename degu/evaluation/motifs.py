"""Removing motifs from sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from degu.data.encoding import LETTERS, UNKNOWN
from degu.errors import DataError

IUPAC = {
    **{letter: letter for letter in "ACGT"},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
LONG = 8
_ROUNDS = 100


def without_motifs(
    tokens: NDArray[np.uint8], motifs: Sequence[str], max_mismatches: int | None = 0, seed: int = 0
) -> NDArray[np.uint8]:
    """Redraw every place that matches a motif, on either strand, until no place does; the rest stays.

    Args:
        tokens: Shape (N, L). An N matches no letter and stays.
        motifs: Motifs in IUPAC letters.
        max_mismatches: Letters in which a place may differ from a motif and still match; None for 1 in motifs that fix
            `LONG` letters or more and 0 in shorter ones, which random DNA would match too often.
        seed: Seed of the draws.

    Returns:
        Tokens of the same shape.

    Raises:
        DataError: When a motif has another letter, is longer than the sequences or not longer than `max_mismatches`,
            or matches so often that it cannot be avoided.
    """
    generator = np.random.default_rng(seed)
    changed = tokens.copy()
    for _ in range(_ROUNDS):
        matched = motif_places(changed, motifs, max_mismatches) & (changed != UNKNOWN)
        if not matched.any():
            return changed
        changed[matched] = generator.integers(0, UNKNOWN, matched.sum(), dtype=np.uint8)
    raise DataError(
        f"motifs: expected motifs that random DNA rarely matches, received {list(motifs)} with max_mismatches="
        f"{max_mismatches}, of which {matched.any(axis=1).sum()} sequence(s) are not free after {_ROUNDS} draws."
    )


def motif_places(tokens: NDArray[np.uint8], motifs: Sequence[str], max_mismatches: int | None = 0) -> NDArray[np.bool_]:
    """Return which letters belong to a place that matches a motif on either strand, `(N, L)`.

    Arguments and errors are those of `without_motifs`.
    """
    matched = np.zeros(tokens.shape, dtype=bool)
    for motif in motifs:
        missed = _allowance(motif) if max_mismatches is None else max_mismatches
        for allowed in _strands(motif, tokens.shape[1], missed):
            rows, starts = np.nonzero(_matches(tokens, allowed) >= len(allowed) - missed)
            matched[rows[:, None], starts[:, None] + np.arange(len(allowed))] = True
    return matched


def _allowance(motif: str) -> int:
    """Return how many mismatches a motif bears: 1 if it fixes one letter at `LONG` places or more."""
    return int(sum(len(IUPAC.get(letter, "")) == 1 for letter in motif.upper()) >= LONG)


def _strands(motif: str, length: int, max_mismatches: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tokens every place of a motif takes, (W, 5), for both strands."""
    letters = motif.upper()
    if not set(letters) <= set(IUPAC) or not max_mismatches < len(letters) <= length:
        raise DataError(
            f"motifs: expected {max_mismatches + 1} to {length} IUPAC letters ({''.join(IUPAC)}), received {motif!r}."
        )
    allowed = np.array([[letter in IUPAC[place] for letter in LETTERS] for place in letters])
    return allowed, allowed[::-1, [3, 2, 1, 0, UNKNOWN]]


def _matches(tokens: NDArray[np.uint8], allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return how many letters match at every place, (N, L - W + 1)."""
    places = tokens.shape[1] - len(allowed) + 1
    counts = np.zeros((len(tokens), places), dtype=np.intp)
    for step, takes in enumerate(allowed):
        counts += takes[tokens[:, step : step + places]]
    return counts
