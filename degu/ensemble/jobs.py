"""Members trained in jobs of their own, whatever runs the jobs.

What a job leaves are files: weights and their record, or a note on why its training failed; nothing that a job returns
is read.
"""

from __future__ import annotations

import abc
import json
import logging
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.ensemble.member import Member
from degu.ensemble.training import How, NewMember, train_members, trained_member
from degu.errors import DeguError, EnsembleError, TrainingError
from degu.files import write_json
from degu.train.network import TrainingSet
from degu.train.weights import SUFFIX

if TYPE_CHECKING:
    from submitit import Executor, Job
    from submitit.helpers import DelayedSubmission

log = logging.getLogger(__name__)

Trained = tuple[NewMember, Member | None, Any]


@dataclass(frozen=True)
class MemberJob:
    """What a process or job of a cluster does: train one member.

    Attributes:
        train: Trains it and writes its weights.
        weights: Where they are written.
    """

    train: Callable[[], Any]
    weights: Path

    def __call__(self) -> None:
        """Train, and leave a note if the training fails."""
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
        failure_path(self.weights).unlink(missing_ok=True)
        try:
            self.train()
        except DeguError as error:
            note = {"message": str(error), "has_good_weights": getattr(error, "has_good_weights", False)}
            write_json(failure_path(self.weights), note)

    def checkpoint(self) -> DelayedSubmission:
        """Return what goes on after a time-out or preemption: the same, because the training keeps its own state."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def failure_path(weights: Path) -> Path:
    """Return where a job notes why the training of a member failed."""
    return weights.with_name(weights.name.removesuffix(SUFFIX) + ".failure.json")


def train_alone(member: NewMember, data: TrainingSet, how: How) -> None:
    """Train one member in this process."""
    list(train_members([member], data, how))


@dataclass(frozen=True)
class JobExecutor(abc.ABC):
    """Trains every member in a job of its own; a final class says where jobs run.

    Attributes:
        retries: How often a job is submitted again that ended without weights and without saying why, such as one that
            was cancelled or killed. It goes on where it was.
        job: Returns what the job of a member does, from its number; None sends the member itself, pickled.
        folder: Folder of logs and submissions; None for `jobs` beside the weights.
    """

    retries: int = 1
    job: Callable[[int], Callable[[], Any]] | None = field(default=None, kw_only=True)
    folder: Path | None = field(default=None, kw_only=True)

    poll_seconds = 0.5

    def train(self, members: Sequence[NewMember], data: TrainingSet, how: How) -> Iterator[Trained]:
        """Submit the members as jobs, and yield each when its job has ended.

        Raises:
            TrainingError: When a job fails and the others are not to go on; they are cancelled, and what they have
                done is kept.
        """
        if how.resume is None:
            raise EnsembleError(
                "Expected resume=Checkpoints() for members in jobs, which may be requeued. Received: None"
            )
        run = _Run(self, members, data, how)
        try:
            yield from run.results()
        finally:
            run.cancel()

    @abc.abstractmethod
    def slots(self, members: int) -> list[Any]:
        """Return what jobs wait for, one for each that may run at a time."""

    @abc.abstractmethod
    def executor(self, folder: Path, slot: Any) -> Executor:
        """Return the submitit executor of a job in a slot."""

    @abc.abstractmethod
    def have_ended(self, jobs: Sequence[Job]) -> list[bool]:
        """Return whether jobs have ended, however."""


class _Run:
    """The jobs of some members."""

    def __init__(self, executor: JobExecutor, members: Sequence[NewMember], data: TrainingSet, how: How) -> None:
        self.executor = executor
        self.how = how
        self.data = data
        self.waiting = list(members)
        self.tries = {member.index: 0 for member in members}
        self.free = executor.slots(len(members))
        self.running: list[tuple[NewMember, Job, Any]] = []
        self.folder = (executor.folder or members[0].path.parent / "jobs").absolute() if members else Path()

    def results(self) -> Iterator[Trained]:
        """Yield every member when its job has ended."""
        while self.waiting or self.running:
            self._submit()
            time.sleep(self.executor.poll_seconds)
            running, self.running = self.running, []
            ended = self.executor.have_ended([job for _, job, _ in running])
            for (member, job, slot), has_ended in zip(running, ended, strict=True):
                if not has_ended:
                    self.running.append((member, job, slot))
            for (member, job, slot), has_ended in zip(running, ended, strict=True):
                if has_ended:
                    self.free.append(slot)
                    yield from self._outcome(member, job)

    def cancel(self) -> None:
        """End the jobs that are running."""
        for member, job, _ in self.running:
            log.warning("%s: job %s is cancelled", member.name, job.job_id)
            with suppress(Exception):
                job.cancel(check=False)
        self.running = []

    def _submit(self) -> None:
        """Submit as many members as there are free slots; those of one slot's kind as one array."""
        count = min(len(self.waiting), len(self.free))
        starting, self.waiting = self.waiting[:count], self.waiting[count:]
        slots, self.free = self.free[:count], self.free[count:]
        for slot in dict.fromkeys(slots):
            group = [member for member, own in zip(starting, slots, strict=True) if own == slot]
            executor = self.executor.executor(self.folder, slot)
            jobs = self._submitted(executor, group)
            for member, job in zip(group, jobs, strict=True):
                log.info("%s: job %s; its log is %s", member.name, job.job_id, job.paths.stderr)
                self.running.append((member, job, slot))

    def _submitted(self, executor: Executor, group: Sequence[NewMember]) -> list[Job]:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with _plain_environment(), executor.batch():
                return [executor.submit(self._job(member)) for member in group]
        except (FailedJobError, FailedSubmissionError) as error:
            said = [line for line in str(error).splitlines() if "error" in line] or str(error).splitlines()[-1:]
            raise EnsembleError(f"Expected the queue to take the jobs of the members. Received: {said[0]}") from error
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise EnsembleError(
                f"Expected members that can be sent to another process. Received: {error}. Leave out what cannot be "
                "pickled, such as open files, or train them in this process"
            ) from error

    def _job(self, member: NewMember) -> MemberJob:
        failure_path(member.path).unlink(missing_ok=True)
        path = replace(member, path=member.path.absolute())
        alone = self.how._replace(scope=None, on_failure="stop", min_members=1)
        factory = self.executor.job
        train = partial(train_alone, path, self.data, alone) if factory is None else factory(member.index)
        return MemberJob(train, path.path)

    def _outcome(self, member: NewMember, job: Job) -> Iterator[Trained]:
        for pickled in (job.paths.submitted_pickle, job.paths.result_pickle):
            pickled.unlink(missing_ok=True)
        trained = trained_member(member)
        note = failure_path(member.path)
        if trained is not None:
            log.info("%s: trained", member.name)
            yield member, *trained
        elif note.is_file():
            yield self._failure(member, TrainingError(**json.loads(note.read_text(encoding="utf-8"))))
        elif self.tries[member.index] < self.executor.retries:
            self.tries[member.index] += 1
            log.warning("%s: job %s ended without weights; it is submitted again", member.name, job.job_id)
            self.waiting.append(member)
        else:
            said = (job.stderr() or "").strip().splitlines()[-1:] or ["nothing"]
            message = f"Expected weights from job {job.job_id}. Received: {said[0]}; its log is {job.paths.stderr}. "
            message += "on_member_failure=continue goes on without it"
            yield self._failure(member, TrainingError(message))

    def _failure(self, member: NewMember, error: TrainingError) -> Trained:
        log.error("%s failed: %s", member.name, error)
        if self.how.on_failure == "stop":
            raise error
        return member, None, error


@contextmanager
def _plain_environment() -> Iterator[None]:
    """Hide what would make a tracker in a job write to another run."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("MLFLOW_RUN")}
    try:
        yield
    finally:
        os.environ.update(hidden)
