"""Running several trainings together, fit by fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import keras

from degu.seeds import seeded
from degu.stacked.loop import fit_together, why_not
from degu.train.fits import Finished, Fit, Fits, advance, finish

log = logging.getLogger(__name__)


def train_together(trainings: Sequence[Fits], seeds: Sequence[int], name: str = "members") -> list[Any]:
    """Run trainings of networks of one architecture, the fits of each round side by side.

    Fits that cannot be run side by side are run one after the other, which is said in the log.

    Args:
        trainings: Started by `degu.train.network.network_fits` or by the `fits` of a training function.
        seeds: Seed of each; what a training does between its fits runs under it.
        name: Shown in the progress bar.

    Returns:
        What each training returned.
    """
    waiting = [_advanced(training, seed) for training, seed in zip(trainings, seeds, strict=True)]
    while jobs := [job for job in waiting if isinstance(job, Fit)]:
        reason = why_not(jobs)
        if reason is not None:
            log.info("%s: one network after the other, because %s.", name, reason)
            return [_alone(*one) for one in zip(trainings, seeds, waiting, strict=True)]
        histories = iter(fit_together(jobs, name))
        waiting = [
            _advanced(training, seed, next(histories)) if isinstance(job, Fit) else job
            for training, seed, job in zip(trainings, seeds, waiting, strict=True)
        ]
    return [end.value for end in waiting if isinstance(end, Finished)]


def _advanced(training: Fits, seed: int, history: keras.callbacks.History | None = None) -> Fit | Finished:
    with seeded(seed):
        return advance(training, history)


def _alone(training: Fits, seed: int, job: Fit | Finished) -> Any:
    with seeded(seed):
        return finish(training, job)
