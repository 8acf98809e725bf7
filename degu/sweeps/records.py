"""What is on file about a sweep and its jobs.

```text
SWEEP/sweep.json           every job: overrides, status, objective, run, folder
SWEEP/comparison.tsv, .txt
SWEEP/<number>/job.json    the same of one job, written by the process that runs it
SWEEP/<number>/error.txt   traceback, when it failed
SWEEP/<number>/...         the study
```

A job is its folder: whoever runs it, wherever, finds there what to do and says there what became of it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from degu.errors import ConfigError
from degu.files import write_json

JOB_FILE = "job.json"
ERROR_FILE = "error.txt"
SWEEP_FILE = "sweep.json"
OF_THE_SWEEP = ("launcher", "sweeper")
"""Groups that decide how a sweep is run and not what its studies are."""

WAITING, RUNNING, FINISHED, FAILED, INTERRUPTED = "waiting", "running", "finished", "failed", "interrupted"


@dataclass
class Job:
    """One study of a sweep.

    Attributes:
        number: Place in the sweep, from 0; also the name of its folder.
        overrides: Overrides of its config, without those that say how the sweep is run.
        values: What differs between jobs, as override key and value.
        name: Name of its run.
        run_id: Its run with the tracker; empty if nothing is tracked.
        status: `waiting`, `running`, `finished`, `failed` or `interrupted`.
        attempts: How often it was started.
        seconds: Of the last attempt.
        metric: Name of the objective.
        direction: `maximize` or `minimize`.
        objective: Its value; None before the end, and where it is not finite.
        error: Message of the last failure.
    """

    number: int
    overrides: list[str]
    values: dict[str, str]
    name: str = ""
    run_id: str = ""
    status: str = WAITING
    attempts: int = 0
    seconds: float = 0.0
    metric: str = ""
    direction: str = "maximize"
    objective: float | None = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the last attempt came to an end."""
        return self.status in (FINISHED, FAILED, INTERRUPTED)

    @property
    def words(self) -> str:
        """What differs from the other jobs, in one line."""
        return " ".join(f"{key}={value}" for key, value in self.values.items()) or "(no overrides)"

    def command(self, folder: Path) -> str:
        """Return the command that runs this job alone, in its folder of the sweep."""
        words = ["degu", "run", *self.overrides, f"hydra.run.dir={quoted(str(folder))}"]
        return shlex.join(words)

    def write(self, folder: Path) -> None:
        """Write the job's file in its folder."""
        write_json(folder / JOB_FILE, dataclasses.asdict(self))


def read_job(folder: Path) -> Job | None:
    """Return the job of a folder, or None if it is not that of a job.

    Raises:
        ConfigError: When its file cannot be read.
    """
    path = folder / JOB_FILE
    try:
        return Job(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path}: expected the file of a job, received {error}. Remove the folder {folder}"
        ) from error


@dataclass
class Sweep:
    """A sweep and its jobs.

    Attributes:
        folder: Absolute path of its folder.
        name: Name of its run: that of the studies, and the digest.
        run_id: Its run with the tracker.
        search: What was asked for: swept overrides by key, and settings of the search.
        jobs: In order of their numbers.
    """

    folder: Path
    name: str
    run_id: str = ""
    search: dict[str, Any] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)

    def home(self, job: Job) -> Path:
        """Return the folder of a job."""
        return self.folder / str(job.number)

    def read(self) -> None:
        """Bring the jobs up to date with their files."""
        self.jobs = [read_job(self.home(job)) or job for job in self.jobs]

    def write(self) -> None:
        """Write `sweep.json`."""
        jobs = [{**dataclasses.asdict(job), "folder": str(self.home(job))} for job in self.jobs]
        content = {"name": self.name, "run_id": self.run_id, "search": self.search, "best": self.best_number()}
        write_json(self.folder / SWEEP_FILE, {**content, "jobs": jobs})

    def having(self, *status: str) -> list[Job]:
        """Return the jobs that have one of some states."""
        return [job for job in self.jobs if job.status in status]

    @property
    def is_comparable(self) -> bool:
        """Whether all jobs are judged by the same metric in the same direction."""
        return len({(job.metric, job.direction) for job in self.jobs}) <= 1

    def best(self) -> Job | None:
        """Return the finished job with the best objective; None without one, or if objectives differ in kind."""
        judged = [job for job in self.having(FINISHED) if job.objective is not None]
        if not judged or not self.is_comparable:
            return None
        sign = 1.0 if judged[0].direction == "maximize" else -1.0
        return max(judged, key=lambda job: sign * (job.objective if job.objective is not None else -math.inf))

    def best_number(self) -> int | None:
        """Return the number of the best job."""
        best = self.best()
        return None if best is None else best.number


def quoted(text: str) -> str:
    """Return a text as a value of a Hydra override."""
    return QuotedString(text, Quote.double).with_quotes()
