"""Sequences away from the training distribution: the test sequences changed in several ways, and other libraries.

What changes a sequence of the test split also changes its activity, so nothing is measured on these sets. Another
library is a natural shift, on which there may be measurements.

References:
    Zhou, Rizzo, Christensen, Tang, Koo (2026), doi:10.1038/s44387-025-00053-3 (mutated, evolved and shuffled sets).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.data.dinucleotides import shuffle_dinucleotides
from degu.data.splits import Splits
from degu.errors import DataError
from degu.evaluation.motifs import without_motifs
from degu.seeds import derive_seed
from degu.uncertainty import row_digests

log = logging.getLogger(__name__)
UNSHIFTED, LIBRARY = "unshifted", "library"
LONGEST_CHANGE = 20
"""Letters that the evolved set deletes or shifts at most."""


class ShiftedSet(NamedTuple):
    """Sequences of one kind.

    Attributes:
        name: The kind.
        tokens: Shape (N, L), dtype uint8.
        measured: Measurements `(N, K)`, NaN where a target was not measured; None where nothing was.
    """

    name: str
    tokens: NDArray[np.uint8]
    measured: NDArray | None = None


def shifted_sets(
    splits: Splits,
    *,
    num_sequences: int | None = None,
    mutate_frac: float = 0.05,
    num_changes: int = 2,
    motifs: Sequence[str] | None = None,
    max_mismatches: int | None = None,
    library: Splits | None = None,
    library_splits: Sequence[str] = ("test",),
    seed: int = 0,
) -> list[ShiftedSet]:
    """Make the sets that a study is tested on beside its test split.

    Args:
        splits: The data of the study.
        num_sequences: Rows of the test split, and of the library, that are drawn at most; None for all.
        mutate_frac: Expected share of letters that differ in the mutated set.
        num_changes: Different changes of every evolved sequence, out of deletion, translocation and mutation.
        motifs: Motifs in IUPAC letters that are removed from the sequences; by default those that the data are known
            to depend on.
        max_mismatches: Letters in which a place may differ from a motif and still count as it; None for 1 in motifs
            that fix at least 8 letters, 0 in shorter ones.
        library: Another data set with sequences of the same length.
        library_splits: Its splits that are used.
        seed: Seed of all draws.

    Returns:
        `unshifted`, `mutated`, `evolved`, `shuffled`, `dinucleotide_shuffled`, with motifs `motif_destroyed`, and with
        a library `library`, without the sequences of the study's own splits.

    Raises:
        DataError: When a set cannot be made.
        ConfigError: When a share or number is outside its range.
    """
    test = splits.test.select(_drawn(len(splits.test), num_sequences, derive_seed(seed, "shift", "rows")))
    tokens = test.tokens
    known = splits.motifs if motifs is None else motifs
    sets = [
        ShiftedSet(UNSHIFTED, tokens, test.targets),
        ShiftedSet("mutated", mutated(tokens, mutate_frac, derive_seed(seed, "shift", "mutated"))),
        ShiftedSet("evolved", evolved(tokens, num_changes, derive_seed(seed, "shift", "evolved"))),
        ShiftedSet("shuffled", shuffled(tokens, derive_seed(seed, "shift", "shuffled"))),
        ShiftedSet(
            "dinucleotide_shuffled",
            shuffle_dinucleotides(tokens, seed=derive_seed(seed, "shift", "dinucleotides"))[:, 0],
        ),
    ]
    if known:
        destroyed = without_motifs(tokens, known, max_mismatches, derive_seed(seed, "shift", "motifs"))
        sets.append(ShiftedSet("motif_destroyed", destroyed))
    if library is not None:
        other = _of_library(library, library_splits, splits)
        rows = _drawn(len(other.tokens), num_sequences, derive_seed(seed, "shift", "library"))
        measured = None if other.measured is None else other.measured[rows]
        sets.append(ShiftedSet(LIBRARY, other.tokens[rows], measured))
    return sets


def mutated(tokens: NDArray[np.uint8], mutate_frac: float, seed: int) -> NDArray[np.uint8]:
    """Redraw letters such that a share of them differs, see `degu.augment.RandomMutation`."""
    from degu.augment import RandomMutation, rewrite

    return rewrite(tokens, RandomMutation(mutate_frac), seed)


def evolved(tokens: NDArray[np.uint8], num_changes: int, seed: int) -> NDArray[np.uint8]:
    """Change every sequence in several ways, drawn for each, out of deletion, translocation and mutation.

    These are the published augmentations of EvoAug that give DNA of the same length; noise gives none.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """
    from degu.augment import RandomDeletion, RandomMutation, RandomSubset, RandomTranslocation, rewrite

    longest = min(LONGEST_CHANGE, tokens.shape[1] - 1)
    changes = [RandomDeletion(0, longest), RandomTranslocation(0, longest), RandomMutation(0.05)]
    return rewrite(tokens, RandomSubset(changes, num_changes, hard=True, per="sequence"), seed)


def shuffled(tokens: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Put the letters of every sequence in random order."""
    return np.random.default_rng(seed).permuted(tokens, axis=1)


def _drawn(total: int, wanted: int | None, seed: int) -> NDArray[np.intp]:
    """Return row numbers in increasing order."""
    if wanted is not None and wanted < 1:
        raise DataError(f"num_sequences: expected at least 1, or none for all, received {wanted}.")
    if wanted is None or wanted >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, wanted, replace=False))


def _of_library(library: Splits, chosen: Sequence[str], own: Splits) -> ShiftedSet:
    """Return the sequences of a library that are not among the study's own, with what is measured in both."""
    parts = dict(library.items())
    unknown = set(chosen) - set(parts)
    if unknown or not chosen:
        raise DataError(f"library_splits: expected some of {list(parts)}, received {list(chosen)}.")
    if library.length != own.length:
        raise DataError(
            f"library: expected sequences of {own.length} letters as in the study, received {library.length}."
        )
    tokens = np.concatenate([parts[name].tokens for name in chosen])
    targets = np.concatenate([parts[name].targets for name in chosen])
    mine = np.concatenate([row_digests(split.tokens) for _, split in own.items()])
    new = ~np.isin(row_digests(tokens), mine)
    if not new.any():
        raise DataError(f"library: expected sequences that the study does not have, received {len(tokens)} it has.")
    log.info("Library: %d of %d sequences are not in the study", new.sum(), len(tokens))
    shared = [name for name in own.target_names if name in library.target_names]
    if not shared:
        return ShiftedSet(LIBRARY, tokens[new])
    measured = np.full((len(tokens), own.num_targets), np.nan, np.float32)
    for name in shared:
        measured[:, own.target_names.index(name)] = targets[:, library.target_names.index(name)]
    return ShiftedSet(LIBRARY, tokens[new], measured[new])
