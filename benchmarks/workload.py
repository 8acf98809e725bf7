"""The training that the speed benchmarks share: random sequences, one network, Adam and the mean squared error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from degu import models
from degu.data import one_hot
from degu.seeds import seeded
from degu.train.fits import Fit

TARGETS = 2


class Workload:
    """Random data and untrained networks.

    Args:
        length: Bases of a sequence.
        batch_size: Sequences a step.
        steps: Steps an epoch.
        width: Width of DeepSTARR; 1 is that of the publication.
        model: An architecture of `degu.models`; the width is that of DeepSTARR alone.
    """

    def __init__(self, length: int, batch_size: int, steps: int, width: float = 1.0, model: str = "deepstarr") -> None:
        generator = np.random.default_rng(0)
        self.batch_size = batch_size
        self.steps = steps
        self.tokens = generator.integers(0, 4, (batch_size * steps, length)).astype(np.uint8)
        self.targets = generator.normal(size=(batch_size * steps, TARGETS)).astype(np.float32)
        settings = {"width": width} if model == "deepstarr" else {}
        self.build = partial(getattr(models, model), (length, 4), TARGETS, **settings)

    def network(self, seed: int) -> keras.Model:
        """Return a new network."""
        with seeded(seed):
            return self.build()

    def encoded(self) -> NDArray:
        """Return the sequences `(N, L, 4)` float32, as a user's script would hold them."""
        return one_hot(self.tokens)

    def fits(
        self, members: int, optimizer: Callable[[], keras.optimizers.Optimizer] = keras.optimizers.Adam
    ) -> list[Fit]:
        """Return one fit of one epoch for each of some new members."""
        return [
            Fit(
                model=self.network(seed),
                x=self.tokens,
                y=self.targets,
                validation=None,
                optimizer=optimizer(),
                loss="mse",
                metrics=(),
                batch_size=self.batch_size,
                max_epochs=1,
                seed=seed,
                callbacks=(),
            )
            for seed in range(members)
        ]

    def plain(self, members: int) -> list[keras.Model]:
        """Return some new members compiled as any user would."""
        networks = [self.network(seed) for seed in range(members)]
        for network in networks:
            network.compile("adam", "mse")
        return networks
