"""One attempt to run a job: who else is at it, what becomes of it, and what its run says."""

from __future__ import annotations

import contextlib
import math
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from degu.files import write_text
from degu.sweeps.records import ERROR_FILE, FAILED, FINISHED, INTERRUPTED, RUNNING, Job, read_job
from degu.tracking import ScheduledTracker, Tracker
from degu.tracking.protocol import ERROR_TAG

LOCK_FILE = ".job.lock"


class Attempt:
    """What a study needs to know when its folder is that of a job.

    Attributes:
        job: The job; None where the folder is not that of a job.
        tracker: Root tracker, whose first run is the job's.
    """

    def __init__(self, job: Job | None, root: Tracker) -> None:
        self.job = job
        self.tracker: Tracker = root if job is None else ScheduledTracker(root, job.run_id)

    def finish(self, objective: float) -> None:
        """Say that the study is complete."""
        if self.job is not None:
            self.job.status, self.job.error = FINISHED, ""
            self.job.objective = objective if math.isfinite(objective) else None


@contextlib.contextmanager
def attempt(folder: Path, root: Tracker) -> Iterator[Attempt]:
    """Run a study in the block; in the folder of a job, one process at a time, and with a record of the outcome.

    Whoever comes second waits, and finds the study of the first.

    Args:
        folder: Output folder.
        root: Root tracker.

    Yields:
        The tracker to be used, and where to say that the study is complete.
    """
    if read_job(folder) is None:
        yield Attempt(None, root)
        return
    with FileLock(folder / LOCK_FILE):
        job = read_job(folder)
        assert job is not None
        job.status, job.attempts, start = RUNNING, job.attempts + 1, time.monotonic()
        job.write(folder)
        try:
            yield Attempt(job, root)
        except BaseException as error:
            fail(job, error, folder, root)
            raise
        finally:
            job.seconds = round(time.monotonic() - start, 1)
            job.write(folder)
        (folder / ERROR_FILE).unlink(missing_ok=True)


def fail(job: Job, error: BaseException, folder: Path, root: Tracker) -> None:
    """Record an error in the job, in its folder and in its run."""
    is_interrupt = isinstance(error, KeyboardInterrupt)
    job.status, job.objective = (INTERRUPTED if is_interrupt else FAILED), None
    job.error = "interrupted" if is_interrupt else f"{type(error).__name__}: {error}".strip()
    write_text(folder / ERROR_FILE, "".join(traceback.format_exception(error)))
    end_run(job, error, root)


def end_run(job: Job, error: BaseException, root: Tracker) -> None:
    """Mark the job's run as failed, or killed where the error is an interrupt; the error matters more than this."""
    with contextlib.suppress(BaseException), root.attach(job.run_id) as run:
        run.tags({ERROR_TAG: job.error[:500]})
        raise error
