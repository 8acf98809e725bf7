"""One seed for a study, and independent streams for everything that is random in it."""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Iterator

import numpy as np


def derive_seed(seed: int, *path: str | int) -> int:
    """Return the seed of a named stream, independent of every other stream of the same study.

    Args:
        seed: The study's seed; 0 is a seed like any other.
        *path: The stream's name, for example `("member", 3)`. Member 3 has the same seed in an ensemble of 5 and of
            25, so ensembles of one seed are nested.

    Returns:
        An integer in [0, 2**31).

    References:
        `numpy.random.SeedSequence`, spawn keys.
    """
    key = tuple(zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path)
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1)
    return int(state[0] >> 1)


def training_seed(seed: int, index: int, vary: str = "both") -> int:
    """Return the seed of a member's data order and augmentation, by which its weights are known as well.

    Args:
        seed: The study's seed.
        index: Number of the member.
        vary: What members differ in: `"both"`, `"initial_values"` or `"data_order"`. The seed differs with it, so that
            a member trained under one is not taken for that of another.
    """
    if vary == "both":
        return derive_seed(seed, "member", index)
    return derive_seed(seed, vary, 0 if vary == "initial_values" else index)


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Run a block with every global random state set by `seed`, and put Python's and NumPy's states back after it.

    Inside, models get initial weights and dropout streams that depend on `seed` alone. The random state of Keras and
    its backend cannot be read and stays as the block leaves it. With `None` the block runs on the states as they are.
    """
    if seed is None:
        yield
        return
    import keras

    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
