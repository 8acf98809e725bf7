"""Augmentations outside of training: changed copies of sequences that are kept as tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from degu.augment.base import Augmentation
from degu.data.encoding import one_hot, tokens_from_one_hot
from degu.errors import ConfigError, DataError
from degu.seeds import derive_seed

_CHUNK = 1024


def rewrite(tokens: NDArray[np.uint8], augmentation: Augmentation, seed: int) -> NDArray[np.uint8]:
    """Return sequences as an augmentation changes them in training.

    Args:
        tokens: Shape (N, L).
        augmentation: One of `degu.augment`, for example a `RandomSubset`, that gives DNA of the same length.
        seed: Seed of all draws; the augmentation's own stream is left alone.

    Returns:
        Tokens of the same shape.

    Raises:
        ConfigError: When the augmentation lengthens sequences, or gives something else than DNA, as noise does.
    """
    from keras import ops

    if augmentation.added_length:
        raise ConfigError(
            f"Expected augmentations that keep the length. Received: {augmentation.added_length} bases added. Use "
            "degu.augment.RandomInsertion (keep_length=True)"
        )
    parts = [tokens[:0]]
    for start in range(0, len(tokens), _CHUNK):
        encoded = ops.convert_to_tensor(one_hot(tokens[start : start + _CHUNK]))
        changed = ops.convert_to_numpy(augmentation.augment(encoded, derive_seed(seed, start)))
        try:
            parts.append(tokens_from_one_hot(changed))
        except DataError as error:
            raise ConfigError(
                f"Expected augmentations that give DNA. Received: {error} Leave degu.augment.RandomNoise out"
            ) from error
    return np.concatenate(parts)
