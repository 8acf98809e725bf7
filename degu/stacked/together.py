"""Running several trainings together, fit by fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from degu.errors import TrainingError
from degu.seeds import seeded
from degu.stacked.loop import Failed, fit_together, why_not
from degu.stacked.room import divided
from degu.train.fits import Finished, Fit, Fits, advance, fail, finish

log = logging.getLogger(__name__)


def train_together(
    trainings: Sequence[Fits], seeds: Sequence[int], name: str = "members", failed: Failed | None = None
) -> list[Any]:
    """Run trainings of networks of one architecture, the fits of each round side by side.

    Fits that cannot be run side by side are run one after the other, which is said in the log.

    Args:
        trainings: Started by `degu.train.network.network_fits` or by the `fits` of a training function.
        seeds: Seed of each; what a training does between its fits runs under it.
        name: Shown in the progress bar.
        failed: Called with the place of a training that fails and the error, at once; the others go on unless it
            raises. None raises the error.

    Returns:
        What each training returned; the error of one that failed.

    Raises:
        TrainingError: When a training fails and `failed` is None.
    """
    waiting = [_advanced(training, seed) for training, seed in zip(trainings, seeds, strict=True)]
    while jobs := _next_round(waiting):
        reason = why_not(jobs)
        if reason is not None:
            log.info("%s: one network after the other, because %s.", name, reason)
            everyone = enumerate(zip(trainings, seeds, waiting, strict=True))
            return [_alone(*one, place, failed) for place, one in everyone]
        places = [place for place, job in enumerate(waiting) if any(job is other for other in jobs)]
        histories = _fitted(jobs, name, partial(_note, trainings, places, failed))
        for place, history in zip(places, histories, strict=True):
            if isinstance(history, TrainingError):
                waiting[place] = Finished(history)
            else:
                waiting[place] = _advanced(trainings[place], seeds[place], history)
    return [end.value for end in waiting if isinstance(end, Finished)]


def _fitted(jobs: Sequence[Fit], name: str, failed: Failed) -> list[keras.callbacks.History | TrainingError]:
    """Fit networks in as few stacks as there is memory for; the arguments are those of `fit_together`."""
    stacks = divided(jobs)
    if len(stacks) == 1:
        return fit_together(jobs, name, failed)
    log.info("%s: in %d stacks, because the memory has room for %d at one time.", name, len(stacks), len(stacks[0]))
    ends: list[keras.callbacks.History | TrainingError] = []
    for number, stack in enumerate(stacks, start=1):
        before = len(ends)
        title = f"{name}, stack {number}/{len(stacks)}"
        ends += fit_together(stack, title, lambda job, error, before=before: failed(before + job, error))  # type: ignore[misc]
    return ends


def _next_round(waiting: Sequence[Fit | Finished]) -> list[Fit]:
    """Return the fits that are next; trainings that an interruption has left a fit ahead of others wait for these."""
    fits = [job for job in waiting if isinstance(job, Fit)]
    first = min((job.number for job in fits), default=0)
    return [job for job in fits if job.number == first]


def _advanced(training: Fits, seed: int, history: keras.callbacks.History | None = None) -> Fit | Finished:
    with seeded(seed):
        return advance(training, history)


def _note(
    trainings: Sequence[Fits], places: Sequence[int], failed: Failed | None, job: int, error: TrainingError
) -> None:
    """Tell a training and the caller that a fit of a round has failed."""
    fail(trainings[places[job]], error)
    if failed is None:
        raise error
    failed(places[job], error)


def _alone(training: Fits, seed: int, job: Fit | Finished, place: int, failed: Failed | None) -> Any:
    try:
        with seeded(seed):
            return finish(training, job)
    except TrainingError as error:
        if failed is None:
            raise
        failed(place, error)
        return error
