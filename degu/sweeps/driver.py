"""Runs the jobs of a sweep through a Hydra launcher, whatever becomes of single ones."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from degu.allowed import passed_on
from degu.config import build
from degu.devices import visible_gpus
from degu.errors import ConfigError
from degu.sweeps.attempt import LOCK_FILE
from degu.sweeps.job import lost
from degu.sweeps.outcome import conclude, farewell, write_tables
from degu.sweeps.plan import DIGEST
from degu.sweeps.records import FAILED, FINISHED, RUNNING, SWEEP_FILE, WAITING, Job, Sweep, quoted, read_job
from degu.sweeps.watch import Watch
from degu.tracking import Tracker
from degu.tracking.protocol import JOB_TAG, KIND_TAG, OBJECTIVE_TAG, SWEEP_TAG

log = logging.getLogger(__name__)
LAUNCHES = 3
"""How often jobs are launched that a broken launcher never started."""

_QUIET = ("hydra._internal.core_plugins.basic_launcher", "hydra_plugins", "optuna")


class Driver:
    """One call of `degu run -m`.

    Args:
        config: The config that the jobs share, with Hydra's part.
        context: Composes the configs of jobs.
        task_function: What a launcher calls for each job.
    """

    def __init__(self, config: DictConfig, context: HydraContext, task_function: TaskFunction) -> None:
        self.config = config
        self.options = config.hydra.sweeper
        self.context = context
        self.loader = context.config_loader
        self.task_function = task_function
        self.common: list[str] = []
        self.tracker: Tracker
        self.launcher: Launcher
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)

    def place(self, content: str) -> Sweep:
        """Return the sweep of some content, with the run of an earlier call; the launcher is told its folder."""
        folder = Path(self.config.hydra.sweep.dir.replace(DIGEST, content)).absolute()
        self.config.hydra.sweep.dir = str(folder)
        self.config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(str(folder))}")
        self.launcher = self._launcher()
        sweep = Sweep(folder, f"{self.config.name}-sweep-{content[:6]}")
        with contextlib.suppress(FileNotFoundError):
            sweep.run_id = json.loads((folder / SWEEP_FILE).read_text(encoding="utf-8"))["run_id"]
        return sweep

    @contextlib.contextmanager
    def running(self, sweep: Sweep) -> Iterator[Tracker]:
        """Hold the sweep's folder and its run; sum up at the end, also after an error or an interrupt.

        Yields:
            A tracker that is bound to the sweep's run.

        Raises:
            ConfigError: When another process holds the folder.
            SystemExit: When jobs failed.
        """
        sweep.folder.mkdir(parents=True, exist_ok=True)
        with self._alone(sweep.folder):
            self.tracker = build(self.config.tracking)
            tags = {KIND_TAG: "sweep", SWEEP_TAG: sweep.name, OBJECTIVE_TAG: self.config.objective.metric}
            earlier = bool(sweep.run_id)
            with self.tracker.attach(sweep.run_id) if earlier else self.tracker.start(sweep.name, tags) as run:
                sweep.run_id = run.run_id
                try:
                    yield run
                finally:
                    sweep.read()
                    conclude(sweep, run, self.tracker)
                farewell(sweep, self._command())
                if sweep.having(FAILED):
                    raise SystemExit(1)

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        try:
            with FileLock(folder / ".sweep.lock", timeout=0):
                yield
        except Timeout as error:
            raise ConfigError(
                f"Expected a sweep that no other process runs. Received: {folder}, which another one holds. "
                "Wait for it, or end it"
            ) from error

    def _command(self) -> list[str]:
        """Return the words of this call."""
        return ["degu", "run", *(f"--allow={package}" for package in passed_on()), *sys.argv[1:]]

    def chosen(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs that are to be run: those of `hydra.sweeper.only`, and never a finished one.

        Raises:
            ConfigError: When there is no such job.
        """
        only = self.options.only
        unknown = set(only or ()) - {job.number for job in jobs}
        if unknown:
            raise ConfigError(
                f"Expected hydra.sweeper.only to name jobs from 0 to {len(jobs) - 1}. Received: {sorted(unknown)}"
            )
        return [job for job in jobs if job.status != FINISHED and (only is None or job.number in only)]

    def recall(self, sweep: Sweep, jobs: Sequence[Job]) -> None:
        """Make these the jobs of the sweep, as far as their folders tell of earlier calls."""
        sweep.jobs = list(jobs)
        sweep.read()
        finished = len(sweep.having(FINISHED))
        if finished:
            sys.stderr.write(f"degu: {finished} of {len(jobs)} jobs in {sweep.folder} are finished already\n")

    def launch(self, sweep: Sweep, jobs: Sequence[Job], run: Tracker) -> None:
        """Run jobs to their ends, in batches; a job that fails is on record and that is all.

        Args:
            sweep: The sweep.
            jobs: Which of its jobs.
            run: The sweep's run.
        """
        size = self.options.batch_size or max(len(jobs), 1)
        for start in range(0, len(jobs), size):
            batch = list(jobs[start : start + size])
            self._schedule(sweep, batch, run)
            with Watch(sweep, batch, lambda: write_tables(sweep)):
                self._launch(sweep, batch)

    def _schedule(self, sweep: Sweep, jobs: Sequence[Job], run: Tracker) -> None:
        """Make the runs and the folders of jobs."""
        for job in jobs:
            if not job.run_id:
                tags = {KIND_TAG: "study", SWEEP_TAG: sweep.name, JOB_TAG: str(job.number)}
                job.run_id = run.create(job.name, tags)
            job.status = WAITING
            job.write(sweep.home(job))
        sweep.write()

    def _launch(self, sweep: Sweep, jobs: list[Job]) -> None:
        """Launch jobs; those that a broken launcher never started again."""
        for last in (False,) * (LAUNCHES - 1) + (True,):
            reason = "the launcher returned without it"
            try:
                self.launcher.launch([self._overrides(job) for job in jobs], jobs[0].number)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                log.warning("The launcher failed: %s", reason)
            jobs = self._left(sweep, jobs, reason, last)
            if not jobs:
                return

    def _launcher(self) -> Launcher:
        """Return the launcher; `n_jobs=0` becomes the number of slots of this machine."""
        node = self.config.hydra.launcher
        if node.get("n_jobs") == 0:
            with open_dict(node):
                node.n_jobs = len(visible_gpus()) * self.options.per_gpu or max(2, (os.cpu_count() or 1) // 4)
        return Plugins.instance().instantiate_launcher(self.context, self.task_function, self.config)

    def _overrides(self, job: Job) -> list[str]:
        values = [f"{key}={value}" for key, value in job.values.items()]
        return [*self.common, *values, f"hydra.sweep.subdir={job.number}"]

    def _left(self, sweep: Sweep, jobs: Sequence[Job], reason: str, is_last: bool) -> list[Job]:
        """Return jobs that were never started; one that ended without a word is recorded as failed."""
        left = []
        for job in (read_job(sweep.home(job)) or job for job in jobs):
            if job.is_over:
                continue
            if job.status == RUNNING or is_last:
                home = sweep.home(job)
                with FileLock(home / LOCK_FILE):
                    job = read_job(home) or job
                    if not job.is_over:
                        lost(job, home, f"its process ended without a word ({reason})", self.config)
            else:
                left.append(job)
        return left
