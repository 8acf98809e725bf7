"""Point mutations."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.checks import check_between
from degu.augment.sampling import choose, put_positions, random_dna, take_positions
from degu.augment.seeds import SeedStream

# One redraw in four returns the base that was there.
CHANGED_SHARE = 0.75


@keras.saving.register_keras_serializable(package="degu")
class RandomMutation(Augmentation):
    """Redraw bases at random positions, so that a fraction of the sequence changes on average.

    Every sequence gets n different positions, all equally likely, and each is redrawn uniformly from A, C, G,
    T. With t = L mutate_frac / 0.75, n is floor(t), or floor(t) + 1 with probability t - floor(t), so the
    expected fraction of changed bases is exactly `mutate_frac` at every length. N stays N.

    Args:
        mutate_frac: Expected fraction of changed bases, in [0, 0.75]; 0.75 redraws every position.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: If `mutate_frac` is outside its range.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """

    def __init__(self, mutate_frac: float = 0.05, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_between(type(self).__name__, "mutate_frac", mutate_frac, 0.0, CHANGED_SHARE)
        self.mutate_frac = mutate_frac

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Redraw the chosen positions of sequences (B, L, 4)."""
        batch, length = ops.shape(x)[0], x.shape[1]
        wanted = length * self.mutate_frac / CHANGED_SHARE
        least = math.floor(wanted)
        most = math.ceil(wanted)
        if most == 0:
            return x
        positions = choose(batch, length, most, seed)
        one_more = keras.random.uniform((batch, 1), dtype="float32", seed=seed) < wanted - least
        counted = ops.logical_or(ops.arange(most)[None, :] < least, one_more)

        present = take_positions(x, positions)
        known = ops.any(ops.not_equal(present, 0), axis=-1)
        redrawn = random_dna(batch, most, x.dtype, seed)
        values = ops.where(ops.logical_and(counted, known)[:, :, None], redrawn, present)
        return put_positions(x, positions, values)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "mutate_frac": self.mutate_frac}
