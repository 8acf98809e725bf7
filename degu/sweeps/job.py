"""What a launcher calls for each job, and the process of its own that a job gets.

A job in a process of its own is started anew, never forked: TensorFlow survives no fork, and what kills the process,
such as a lack of memory, leaves the sweep alone. The process is given its config on standard input.
"""

from __future__ import annotations

import contextlib
import json
import logging.config
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from degu.allowed import TRUSTED, passed_on
from degu.config import build, check_targets
from degu.content import differences
from degu.errors import DeguError
from degu.quiet import quiet_native_stderr
from degu.study_folder import StudyFolder
from degu.sweeps.attempt import LOCK_FILE, attempt, end_run
from degu.sweeps.records import ERROR_FILE, FAILED, JOB_FILE, OF_THE_SWEEP, Job, read_job
from degu.sweeps.slots import slot

LOG_FILE = "job.log"
_SECONDS_TO_END = 60


def is_job(folder: Path) -> bool:
    """Whether a folder is that of a job of a sweep."""
    return read_job(folder) is not None


def run_job(config: DictConfig, folder: Path, hydra: Any) -> float | None:
    """Run a job; what becomes of it stands in its folder, and no error of it leaves this function.

    Args:
        config: The study's config.
        folder: The job's folder.
        hydra: Hydra's part of the job's config.

    Returns:
        The objective, None where there is none.
    """
    command = ["degu", "run", *own_overrides(hydra.overrides.task)]
    if hydra.sweeper.isolate:
        _in_a_process(config, folder, hydra, command)
    else:
        work(config, folder, command)
    job = read_job(folder)
    return None if job is None else job.objective


def own_overrides(overrides: Sequence[str]) -> list[str]:
    """Return overrides without those that say how the sweep is run."""
    return [text for text in overrides if text.partition("=")[0] not in OF_THE_SWEEP]


def work(config: DictConfig, folder: Path, command: Sequence[str]) -> int:
    """Run a job in this process.

    Returns:
        An exit status: 0, 1, or 2 for an error that is the user's to mend.

    Raises:
        KeyboardInterrupt: When interrupted.
    """
    if passed_on():
        sys.path.insert(0, str(Path.cwd()))
    try:
        with attempt(folder, build(config.tracking)) as found:
            with quiet_native_stderr():
                from degu.pipeline import plan, run

            check_targets(config, (*TRUSTED, *passed_on()))
            planned = plan(config)
            _start_over(folder, planned.content)
            found.finish(run(config, found.tracker, folder, command, planned).objective)
    except DeguError:
        return 2
    except KeyboardInterrupt:
        raise
    except BaseException:
        return 1
    return 0


def _start_over(folder: Path, content: Mapping[str, Any]) -> None:
    """Remove what an attempt with other code or data has left, when it came to nothing."""
    study = StudyFolder.read(folder)
    if study is None or study.is_complete or not differences(study.content, content):
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (JOB_FILE, LOCK_FILE, LOG_FILE, ERROR_FILE, "degu.log"):
            path.unlink()


def _in_a_process(config: DictConfig, folder: Path, hydra: Any, command: Sequence[str]) -> None:
    """Run a job in a process of its own, on a device slot if there are GPUs and the launcher runs several at once."""
    payload = {
        "folder": str(folder),
        "config": OmegaConf.to_yaml(config),
        "command": list(command),
        "logging": OmegaConf.to_container(hydra.job_logging, resolve=True),
    }
    alone = hydra.launcher._target_.endswith("BasicLauncher")
    with contextlib.ExitStack() as stack:
        variables = {} if alone else stack.enter_context(slot(hydra.sweeper.per_gpu))
        output = None if alone else stack.enter_context((folder / LOG_FILE).open("a", encoding="utf-8"))
        process = subprocess.Popen(
            [sys.executable, "-m", "degu.sweeps.job"],
            stdin=subprocess.PIPE,
            stdout=output or 2,
            stderr=output,
            env={**os.environ, **variables},
            text=True,
        )
        code = _wait(process, json.dumps(payload))
    job = read_job(folder)
    if job is not None and not job.is_over:
        lost(job, folder, f"its process ended with {_named(code)}", config)


def _wait(process: subprocess.Popen[str], payload: str) -> int:
    """Return the exit status; an interrupt reaches the process first, which then has time to end its runs."""
    try:
        with contextlib.suppress(BrokenPipeError):
            process.communicate(payload)
        return process.returncode
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def lost(job: Job, folder: Path, reason: str, config: DictConfig) -> None:
    """Record that a job's process ended without a word."""
    job.status, job.objective, job.error = FAILED, None, reason
    job.write(folder)
    end_run(job, RuntimeError(reason), build(config.tracking))


def _named(code: int) -> str:
    if code >= 0:
        return f"status {code}"
    hint = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
    return f"signal {signal.Signals(-code).name}{hint}"


def main() -> int:
    """Run the job that standard input describes, as the process of its own."""
    payload: dict[str, Any] = json.load(sys.stdin)
    logging.config.dictConfig(payload["logging"])
    signal.signal(signal.SIGTERM, _interrupted)
    config = OmegaConf.create(payload["config"])
    assert isinstance(config, DictConfig)
    try:
        return work(config, Path(payload["folder"]), payload["command"])
    except KeyboardInterrupt:
        return 130


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
