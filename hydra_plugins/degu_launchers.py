"""Launchers that go on when a job's process dies, where Hydra looks for them.

Those of Hydra's own plugins raise the first error of a process, and nobody waits for the other jobs any more.
Hydra imports this file whenever it starts, so it imports nothing heavy. Data classes
forbid `from __future__ import annotations` here: Hydra runs the file before it is a known module.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
from omegaconf import DictConfig, OmegaConf, open_dict

log = logging.getLogger(__name__)


class _SubmititLauncher(BaseSubmititLauncher):
    """Submits jobs as one array and waits for each of them."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs; one whose process died is returned as failed."""
        executor = self._executor()
        state = Singleton.get_state()
        count = len(job_overrides)
        numbers = range(initial_job_idx, initial_job_idx + count)
        arguments = ([list(overrides) for overrides in job_overrides], ["hydra.sweep.dir"] * count, numbers)
        jobs = executor.map_array(self, *arguments, [f"job_{number}" for number in numbers], [state] * count)
        return [_outcome(lambda job=job: job.results()[0]) for job in jobs]

    def _executor(self) -> Any:
        import submitit

        params = dict(self.params)
        first = {f"{self._EXECUTOR}_{key}": params.pop(key) for key in ("max_num_timeout",) if key in params}
        executor = submitit.AutoExecutor(cluster=self._EXECUTOR, folder=params.pop("submitit_folder"), **first)
        shared = set(OmegaConf.structured(BaseQueueConf).keys())
        executor.update_parameters(
            **{key if key in shared else f"{self._EXECUTOR}_{key}": value for key, value in params.items()}
        )
        return executor


class LocalLauncher(_SubmititLauncher):
    """Processes of this machine."""

    _EXECUTOR = "local"


class SlurmLauncher(_SubmititLauncher):
    """Jobs of a SLURM cluster."""

    _EXECUTOR = "slurm"


@dataclass
class RayConf:
    """Options of the Ray launcher."""

    _target_: str = "hydra_plugins.degu_launchers.RayLauncher"
    address: str | None = None
    num_cpus: float = 2
    num_gpus: float = 0
    total_cpus: int | None = None


class RayLauncher(Launcher):
    """Tasks of Ray, each in a fresh worker process.

    Args:
        address: Of a cluster; None starts Ray on this machine.
        num_cpus: Of each job.
        num_gpus: Of each job.
        total_cpus: Of this machine, when Ray is started on it; None for all.
    """

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float, total_cpus: int | None) -> None:
        self.address, self.num_cpus, self.num_gpus, self.total_cpus = address, num_cpus, num_gpus, total_cpus

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a job needs, and see that Ray is there."""
        from degu.errors import ConfigError

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                "Expected Ray for launcher=ray. Received: an environment without it. "
                "Install it with `pip install -r requirements-ray.txt`, or choose another launcher"
            ) from error

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs; one whose worker died is returned as failed."""
        import ray

        variables = {key: os.environ[key] for key in ("DEGU_ALLOW", "PYTHONPATH") if key in os.environ}
        local: dict[str, Any] = {} if self.address else {"num_cpus": self.total_cpus, "include_dashboard": False}
        ray.init(self.address, runtime_env={"env_vars": variables}, log_to_driver=False, **local)
        try:
            options = {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "max_calls": 1, "max_retries": 0}
            task = ray.remote(**options)(_run)
            shared = ray.put((self.hydra_context, self.config, self.task_function, Singleton.get_state()))
            jobs = [
                task.remote(shared, list(overrides), initial_job_idx + place, str(Path.cwd()))
                for place, overrides in enumerate(job_overrides)
            ]
            return [_outcome(lambda job=job: ray.get(job)) for job in jobs]
        finally:
            ray.shutdown()


def _run(shared: tuple, overrides: Sequence[str], number: int, folder: str) -> JobReturn:
    """Run a job in a worker of Ray."""
    context, config, task_function, state = shared
    os.chdir(folder)
    Singleton.set_state(state)
    setup_globals()
    job = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(job.hydra.job):
        job.hydra.job.id, job.hydra.job.num = f"job_{number}", number
    HydraConfig.instance().set_config(job)
    return run_job(
        task_function=task_function,
        config=job,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )


def _outcome(wait: Any) -> JobReturn:
    """Return what a job returned, or a failure with the reason why it did not."""
    try:
        return wait()
    except Exception as error:
        log.warning("A job's process ended without a word: %s", str(error).splitlines()[0] if str(error) else error)
        failed = JobReturn()
        failed.status, failed.return_value = JobStatus.FAILED, error
        return failed


ConfigStore.instance().store(group="hydra/launcher", name="degu_ray", node=RayConf, provider="degu")
