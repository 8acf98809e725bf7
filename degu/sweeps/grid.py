"""Every combination of the swept values."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from degu.config import frozen
from degu.sweeps.driver import Driver
from degu.sweeps.plan import composed, digest, fixed, grid, job, parsed, swept
from degu.sweeps.records import Job


def run_grid(
    config: DictConfig, context: HydraContext, task_function: TaskFunction, arguments: Sequence[str]
) -> list[Job]:
    """Run a grid; what an earlier call has finished is not run again.

    The sweep's folder is named after all jobs and their composed configs, so the same command finds it again, and any
    other content gets a folder of its own.

    Args:
        config: The config that the jobs share, with Hydra's part.
        context: Composes the configs of jobs.
        task_function: What a launcher calls for each job.
        arguments: Overrides, swept or not.

    Returns:
        The jobs.

    Raises:
        ConfigError: When a job's config cannot be composed; nothing is run then.
        SystemExit: When jobs failed.
    """
    driver = Driver(config, context, task_function)
    params = [f"{key}={value}" for key, value in driver.options.params.items()]
    overrides = parsed([*params, *arguments], driver.loader)
    driver.common = fixed(overrides)
    jobs = [job(number, driver.common, values) for number, values in enumerate(grid(overrides))]
    configs = [composed(driver.loader, config, [*driver.common, *_own(found)]) for found in jobs]
    for found, own in zip(jobs, configs, strict=True):
        found.metric, found.direction = own.objective.metric, own.objective.direction
    sweep = driver.place(digest([[found.overrides, frozen(own)] for found, own in zip(jobs, configs, strict=True)]))
    sweep.search = {"sweeper": "grid", "space": {key: str(o.input_line) for key, o in swept(overrides).items()}}
    driver.recall(sweep, jobs)
    chosen = driver.chosen(sweep.jobs)
    with driver.running(sweep) as run:
        driver.launch(sweep, chosen, run)
    return sweep.jobs


def _own(job: Job) -> list[str]:
    return [f"{key}={value}" for key, value in job.values.items()]
