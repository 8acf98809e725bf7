"""What one epoch of several members is made of, whatever the backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from degu.stacked.device import DeviceData

Logs = Mapping[str, float]

STEPS_A_LAUNCH = 64
"""Long enough to hide what a launch costs, short enough to be interrupted."""


class Steps(Protocol):
    """Trains and evaluates members side by side; their state is in their networks between the calls."""

    def train(self, live: Sequence[int], orders: Sequence[NDArray]) -> list[Logs]:
        """Train one epoch of some members, each in its own order of rows, and return their logs."""

    def evaluate(self, live: Sequence[int]) -> list[Logs]:
        """Return the logs of some members on the validation data."""


class Plan(Protocol):
    """Makes the steps of networks that are compiled and built."""

    lowering: str

    def __call__(
        self,
        networks: Sequence[keras.Model],
        training: DeviceData,
        validation: DeviceData | None,
        batch_size: int,
        validation_batch: int,
        jit_compile: bool,
    ) -> Steps:
        """Return the steps."""


def launches(orders: Sequence[NDArray], batch_size: int) -> Iterator[NDArray]:
    """Cut the orders of several members into launches.

    Args:
        orders: For each of M members the N rows in the order of its epoch.
        batch_size: Rows a step.

    Yields:
        int32 arrays (M, steps, rows a step); the last one holds the rows that do not fill a step.
    """
    rows = np.stack(orders).astype(np.int32)
    full = rows.shape[1] // batch_size * batch_size
    for start in range(0, full, batch_size * STEPS_A_LAUNCH):
        stop = min(full, start + batch_size * STEPS_A_LAUNCH)
        yield rows[:, start:stop].reshape(len(orders), -1, batch_size)
    if full < rows.shape[1]:
        yield rows[:, None, full:]


def in_order(size: int, batch_size: int, members: int) -> Iterator[NDArray]:
    """Cut rows 0 ... size - 1 into launches of the same rows for every member, as `launches` does."""
    return launches([np.arange(size)] * members, batch_size)
