"""In-silico mutagenesis: the prediction of every sequence with one letter changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.attribution.batching import stretches
from degu.attribution.outputs import Output
from degu.data.encoding import UNKNOWN, check_tokens, one_hot, tokens_from_one_hot


def mutagenesis(output: Output, x: ArrayLike, batch_size: int = 512) -> NDArray:
    """Return how much every single substitution changes an output.

    All changed sequences, three a position, go through the networks in batches that do not end with a sequence.

    Args:
        output: What is attributed.
        x: Tokens `(N, L)` uint8 or one-hot sequences `(N, L, 4)`.
        batch_size: Changed sequences a batch.

    Returns:
        Maps `(N, L, 4)` of `output(changed) - output(sequence)`; exactly 0 for the letter that is there. Where a
        sequence has an N, all four letters are substitutions of it.

    Raises:
        DataError: When a sequence is neither tokens nor one-hot.

    References:
        Zhou, Troyanskaya (2015), "Predicting effects of noncoding variants with deep learning-based sequence model",
        doi:10.1038/nmeth.3547.
    """
    x = np.asarray(x)
    tokens = check_tokens(x) if x.ndim == 2 else tokens_from_one_hot(x)
    letters = np.arange(UNKNOWN, dtype=np.uint8)
    changed = np.flatnonzero(tokens[..., None] != letters)
    maps = np.zeros((*tokens.shape, UNKNOWN), dtype=np.float32)
    effects = maps.reshape(-1)
    for part in stretches(len(changed), batch_size, "in-silico mutagenesis"):
        row, position, letter = np.unravel_index(changed[part], maps.shape)
        mutants = tokens[row]
        mutants[np.arange(len(row)), position] = letter
        effects[changed[part]] = output.value(one_hot(mutants))
    unchanged = [output.value(one_hot(tokens[part])) for part in stretches(len(tokens), batch_size, "sequences")]
    maps -= np.concatenate(unchanged)[:, None, None]
    maps[tokens[..., None] == letters] = 0.0
    return maps
