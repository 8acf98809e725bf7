"""Watches the folders of running jobs and says at once what happens, whichever launcher runs them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence

from degu.sweeps.records import ERROR_FILE, FAILED, FINISHED, INTERRUPTED, JOB_FILE, RUNNING, Job, Sweep, read_job

POLL_SECONDS = 0.5


class Watch:
    """Reports every change of some jobs, while its block runs, and once more at its end.

    Args:
        sweep: The sweep; its jobs and its file are brought up to date.
        jobs: Those that were launched.
        on_change: Called after a change, with the watch's thread.
    """

    def __init__(self, sweep: Sweep, jobs: Sequence[Job], on_change: Callable[[], None]) -> None:
        self._sweep = sweep
        self._open = {job.number: job for job in jobs}
        self._seen: dict[int, tuple[int, str]] = {job.number: (job.attempts, job.status) for job in jobs}
        self._stamps: dict[int, int] = {}
        self._on_change = on_change
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ending.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._ending.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        changed = [job for number in sorted(self._open) if (job := self._changed(number)) is not None]
        for job in changed:
            self._sweep.jobs[self._place(job)] = job
            self._say(job)
            if job.status == FINISHED:
                del self._open[job.number]
        if changed:
            self._sweep.write()
            self._on_change()

    def _place(self, job: Job) -> int:
        return next(place for place, known in enumerate(self._sweep.jobs) if known.number == job.number)

    def _changed(self, number: int) -> Job | None:
        home = self._sweep.folder / str(number)
        stamp = (home / JOB_FILE).stat().st_mtime_ns
        if self._stamps.get(number) == stamp:
            return None
        self._stamps[number] = stamp
        job = read_job(home)
        if job is None or (job.attempts, job.status) == self._seen[number]:
            return None
        self._seen[number] = (job.attempts, job.status)
        return job

    def _say(self, job: Job) -> None:
        home = self._sweep.home(job)
        label = f"job {job.number} of {len(self._sweep.jobs)}"
        over = len(self._sweep.having(FINISHED, FAILED))
        if job.status == RUNNING:
            note = f"{label} started: {job.words}"
        elif job.status == FINISHED:
            note = f"{label} finished in {job.seconds:.0f} s: {job.words}: {objective_of(job)} ({over} are over)"
        elif job.status in (FAILED, INTERRUPTED):
            note = f"{label} {job.status.upper()}: {job.words}: {job.error} (see {home / ERROR_FILE})"
        else:
            return
        sys.stderr.write(f"degu: {note}\n")
        sys.stderr.flush()
        if job.status == FINISHED:
            known = {"job": job.number, "run_id": job.run_id, "output_dir": str(home), "objective": job.objective}
            sys.stdout.write(json.dumps(known) + "\n")
            sys.stdout.flush()


def objective_of(job: Job) -> str:
    """Return the objective as text."""
    return f"{job.metric} " + ("is not finite" if job.objective is None else f"{job.objective:.4f}")
