"""Gaussian noise."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.checks import check_between
from degu.augment.seeds import SeedStream


@keras.saving.register_keras_serializable(package="degu")
class RandomNoise(Augmentation):
    """Add independent Gaussian noise to every entry, those of N included. The result is no longer one-hot.

    Args:
        noise_mean: Mean of the noise.
        noise_std: Standard deviation of the noise.
        seed: Start of the random stream.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: If `noise_mean` is not finite or `noise_std` is negative or not finite.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w.
    """

    def __init__(self, noise_mean: float = 0.0, noise_std: float = 0.2, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        largest = math.nextafter(math.inf, 0)
        check_between(type(self).__name__, "noise_mean", noise_mean, -largest, largest)
        check_between(type(self).__name__, "noise_std", noise_std, 0.0, largest)
        self.noise_mean = noise_mean
        self.noise_std = noise_std

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Add noise to the sequences (B, L, 4)."""
        noise = keras.random.normal(ops.shape(x), mean=self.noise_mean, stddev=self.noise_std, dtype=x.dtype, seed=seed)
        return x + noise

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "noise_mean": self.noise_mean, "noise_std": self.noise_std}
