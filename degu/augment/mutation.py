"""Point mutations."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from degu.augment.base import RowAugmentation
from degu.augment.checks import check_between
from degu.augment.rows import Rows
from degu.augment.sampling import choose
from degu.augment.seeds import SeedStream

# One redraw in four returns the base that was there.
CHANGED_SHARE = 0.75


@keras.saving.register_keras_serializable(package="degu")
class RandomMutation(RowAugmentation):
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

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Redraw the chosen positions of the sequences."""
        wanted = rows.length * self.mutate_frac / CHANGED_SHARE
        least, most = math.floor(wanted), math.ceil(wanted)
        if most == 0:
            return rows
        positions = choose(rows.batch, rows.length, most, seed)
        one_more = keras.random.uniform((1, rows.batch), dtype="float32", seed=seed) < wanted - least
        counted = ops.logical_or(ops.arange(most)[:, None] < least, one_more)
        return rows.redraw(positions, counted, seed)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "mutate_frac": self.mutate_frac}
