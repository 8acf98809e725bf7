"""Trainings that break: which batch made the loss infinite, and which weights were the last good ones."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from degu.errors import TrainingError
from degu.train.batches import Batches
from degu.train.checkpoint import network_variables
from degu.train.fits import Fit

_OUT_OF_MEMORY = (
    "ResourceExhaustedError",
    "RESOURCE_EXHAUSTED",
    "out of memory",
    "Out of memory",
    "OOM when allocating",
)
_ROWS_SHOWN = 5


class Watch:
    """Ends a fit whose training loss is no finite number any more, and says where that began.

    The loss of an epoch is a mean over its batches. So the state at the beginning of every epoch is remembered; when
    the epoch breaks, its batches are run again one by one from there.

    Args:
        job: The fit.
        network: Its compiled network.
    """

    def __init__(self, job: Fit, network: keras.Model) -> None:
        self.job = job
        self.network = network
        self._before: list[NDArray] = []

    def begin(self) -> None:
        """Remember the state at the beginning of an epoch."""
        self._before = [np.array(keras.ops.convert_to_numpy(v.value)) for v in network_variables(self.network)]

    def check(self, epoch: int, logs: Mapping[str, float] | None) -> None:
        """Look at the loss of an epoch of the fit, counted from 0.

        Raises:
            TrainingError: When it is not finite. The network then has the best weights of the epochs before; in the
                first epoch of its training, the values that it began with.
        """
        loss = (logs or {}).get("loss", 0.0)
        if math.isfinite(loss):
            return
        place = self._first_broken(epoch)
        best = [callback.best_weights for callback in self.job.callbacks if _has_good_weights(callback)]
        self._restore()
        if best:
            self.network.set_weights(best[0])
        number = self.job.first_epoch + epoch + 1
        raise TrainingError(
            f"Expected a finite training loss. Received: {loss} in epoch {number}{place}. Try a lower learning rate, "
            "look for outliers among the targets of that batch, or clip gradients (trainer.optimizer.clipnorm=1)",
            has_good_weights=bool(best),
        )

    def _first_broken(self, epoch: int) -> str:
        """Run the epoch again and return which step and batch broke first, in words; empty if none does."""
        self._restore()
        self.network.steps_per_execution = 1
        self.network.train_function = None
        job = self.job
        batches = Batches(job.x, job.y, job.batch_size, job.sample_weight, job.seed)
        batches.start_epoch(epoch)
        for step in range(len(batches)):
            x, y, *weight = batches[step]
            self.network.reset_metrics()
            logs = self.network.train_on_batch(x, y, *weight, return_dict=True)
            if not math.isfinite(float(logs["loss"])):
                return f", step {step + 1} of {len(batches)}, in {_described(batches, step, np.asarray(y))}"
        return ""

    def _restore(self) -> None:
        for variable, value in zip(network_variables(self.network), self._before, strict=True):
            variable.assign(value)


def _has_good_weights(callback: Any) -> bool:
    """Whether a callback holds the weights of an epoch whose watched value was finite."""
    return bool(getattr(callback, "best_weights", None)) and math.isfinite(getattr(callback, "best", None) or 0.0)


def _described(batches: Batches, step: int, y: NDArray) -> str:
    """Return a batch in words: its rows of the training set, counted from 0, and its largest target."""
    found = f"a batch of {len(y)} sequences"
    rows = batches.rows(step)
    if rows is not None:
        shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN])
        found += f" (rows {shown}{', ...' if len(rows) > _ROWS_SHOWN else ''} of the training set, counted from 0)"
    finite = y[~np.isnan(y)]
    return found + (f" whose largest target is {np.abs(finite).max():.4g}" if finite.size else "")


@contextlib.contextmanager
def memory_named(jobs: Sequence[Fit]) -> Iterator[None]:
    """Turn a backend's error of memory that is used up into one that says what to lower.

    Raises:
        TrainingError: When the block runs out of memory.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        together = f", {len(jobs)} members side by side" if len(jobs) > 1 else ""
        fewer = ", or train fewer at a time (ensemble.engine=serial)" if together else ""
        raise TrainingError(
            f"Expected a batch of batch_size={jobs[0].batch_size} to fit into the device's memory{together}. Received: "
            f"{_first_line(error)}. Lower trainer.batch_size{fewer}"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a backend says with an error that memory is used up."""
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(mark in text for mark in _OUT_OF_MEMORY)


def _first_line(error: Any) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
