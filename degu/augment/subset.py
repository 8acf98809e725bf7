"""A random choice among several augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.evoaug import as_augmentation
from degu.augment.rows import Rows
from degu.augment.sampling import choose, integers
from degu.augment.seeds import SeedStream
from degu.errors import ConfigError

Per = Literal["sequence", "batch"]


@keras.saving.register_keras_serializable(package="degu")
class RandomSubset(Augmentation):
    """Apply a random subset of augmentations, in the order of the list.

    All subsets of one size are equally likely. Augmentations that lengthen the sequence add up: every
    sequence ends L + added_length bases long, with random DNA at the ends where the insertion was not chosen,
    and N at inference.

    Args:
        augmentations: Augmentations of this package or objects of `evoaug_tf.augment`. They draw from the
            random stream of the subset. An empty list changes nothing.
        max_augs_per_seq: Largest size of a subset, at least 1; the length of the list where that is smaller.
        hard: True for subsets of exactly the largest size, False for a size uniform on 1 ... largest.
        per: "sequence" for a subset for each sequence, "batch" for one subset for the batch, as in evoaug_tf.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: If an argument is out of range, an object is no augmentation, or an augmentation of the
            list has a seed of its own, which would have no effect here.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """

    def __init__(
        self,
        augmentations: Sequence[Any],
        max_augs_per_seq: int = 2,
        hard: bool = True,
        per: Per = "sequence",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if not isinstance(max_augs_per_seq, int) or isinstance(max_augs_per_seq, bool) or max_augs_per_seq < 1:
            raise ConfigError(f"RandomSubset: expected max_augs_per_seq >= 1, received {max_augs_per_seq!r}")
        if not isinstance(hard, bool):
            raise ConfigError(f"RandomSubset: expected hard as True or False, received {hard!r}")
        if per not in get_args(Per):
            raise ConfigError(f"RandomSubset: expected per as one of {get_args(Per)}, received {per!r}")
        self.augmentations = [as_augmentation(augmentation) for augmentation in augmentations]
        self.max_augs_per_seq = max_augs_per_seq
        self.hard = hard
        self.per = per
        self._refuse_inner_seeds()

    @property
    def added_length(self) -> int:
        """Bases by which the output is longer than the input: the sum over the list."""
        return sum(augmentation.added_length for augmentation in self.augmentations)

    @property
    def has_own_stream(self) -> bool:
        """Whether that holds for every augmentation of the list."""
        return all(augmentation.has_own_stream for augmentation in self.augmentations)

    @property
    def minimum_length(self) -> int:
        """Shortest sequence, in bases, that every augmentation of the list can change."""
        return max((augmentation.minimum_length for augmentation in self.augmentations), default=1)

    @property
    def moves_rows(self) -> bool:
        """Whether every augmentation of the list can be made on row numbers."""
        return all(augmentation.moves_rows for augmentation in self.augmentations)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Check the shape of the sequences and build the augmentations."""
        super().build(input_shape)
        for augmentation in self.augmentations:
            augmentation.build(input_shape)
            input_shape = augmentation.compute_output_shape(input_shape)

    def pad_unknown(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Lengthen sequences with N at the places where training lengthens them."""
        for augmentation in self.augmentations:
            x = augmentation.pad_unknown(x)
        return x

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Apply to each of the sequences (B, L, 4) its subset."""
        return self.rearrange(Rows(x), seed).one_hot()

    def rearrange(self, rows: Rows, seed: SeedStream) -> Rows:
        """Apply to each sequence its subset."""
        if not self.augmentations:
            return rows
        chosen = self.choose_subsets(rows.batch, seed)
        for index, augmentation in enumerate(self.augmentations):
            rows = rows.numbered() if augmentation.moves_rows else Rows(rows.one_hot())
            unchanged = rows.pad(augmentation.added_length, seed)
            rows = unchanged.where(chosen[:, index], augmentation.rearrange(rows, seed))
        return rows

    def choose_subsets(self, batch: int | keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Draw which augmentations are applied.

        Args:
            batch: Number of sequences.
            seed: Stream to draw from.

        Returns:
            Boolean tensor (batch, number of augmentations), or (1, number of augmentations) for one subset a
            batch.
        """
        rows = 1 if self.per == "batch" else batch
        count = len(self.augmentations)
        largest = min(self.max_augs_per_seq, count)
        order = choose(rows, count, largest, seed)
        if not self.hard:
            sizes = integers(keras.random.uniform((1, rows), dtype="float32", seed=seed), 1, largest)
            order = ops.where(ops.arange(largest)[:, None] < sizes, order, -1)
        return ops.any(ops.equal(order[:, :, None], ops.arange(count)), axis=0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "augmentations": [keras.saving.serialize_keras_object(item) for item in self.augmentations],
            "max_augs_per_seq": self.max_augs_per_seq,
            "hard": self.hard,
            "per": self.per,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RandomSubset:
        """Build the subset and its augmentations from `get_config`."""
        inner = [keras.saving.deserialize_keras_object(item) for item in config["augmentations"]]
        return cls(**{**config, "augmentations": inner})

    def _refuse_inner_seeds(self) -> None:
        for augmentation in self.augmentations:
            if augmentation.seed is not None:
                raise ConfigError(
                    f"RandomSubset: expected augmentations without a seed of their own, received "
                    f"{type(augmentation).__name__}(seed={augmentation.seed}). Give the seed to RandomSubset"
                )
