"""Members trained in jobs of SLURM."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from degu.ensemble.jobs import JobExecutor
from degu.errors import EnsembleError

if TYPE_CHECKING:
    from submitit import Executor, Job

log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class SlurmJobs(JobExecutor):
    """Trains members in jobs of SLURM, submitted as one array.

    A job that reaches its time limit or is preempted is requeued and goes on where it was.

    Attributes:
        partition: Partition; None for the cluster's default.
        time_minutes: Time limit of a job.
        memory_gb: Memory of a job; None for the cluster's default.
        cpus: Cores of a job.
        gpus: GPUs of a job.
        at_a_time: Jobs that may run at a time.
        max_requeues: How often a job may reach its time limit.
        account: Account that is charged; None for the default.
        setup: Shell commands before Python starts, such as `module load cuda`.
        sbatch: Further options of sbatch, such as `{"constraint": "a100"}`.
    """

    partition: str | None = None
    time_minutes: int = 240
    memory_gb: float | None = None
    cpus: int = 1
    gpus: int = 0
    at_a_time: int = 256
    max_requeues: int = 10
    account: str | None = None
    setup: Sequence[str] = ()
    sbatch: dict[str, Any] = field(default_factory=dict)

    poll_seconds = 2.0

    def slots(self, members: int) -> list[Any]:
        """Return a slot for every member: SLURM decides what runs."""
        return [None] * members

    def executor(self, folder: Path, slot: Any) -> Executor:
        """Return an executor with the resources of a job."""
        from submitit import SlurmExecutor

        try:
            executor = SlurmExecutor(folder, max_num_timeout=self.max_requeues)
        except RuntimeError as error:
            raise EnsembleError(
                "Expected the commands of SLURM (sbatch, srun, squeue) for executor=slurm. Received: a machine without "
                "them. Run on a node of the cluster that can submit jobs, or use executor=local"
            ) from error
        wanted = {
            "job_name": "degu-member",
            "time": self.time_minutes,
            "partition": self.partition,
            "mem": self.memory_gb,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "array_parallelism": self.at_a_time,
            "account": self.account,
            "setup": list(self.setup) or None,
            "additional_parameters": {"requeue": True, **self.sbatch},
        }
        if self.memory_gb is not None:
            wanted["mem"] = f"{int(self.memory_gb * 1024)}MB"
        executor.update_parameters(**{name: value for name, value in wanted.items() if value is not None})
        return executor

    def have_ended(self, jobs: Sequence[Job]) -> list[bool]:
        """Ask the controller; one that does not answer says nothing about its jobs."""
        states = slurm_states([job.job_id for job in jobs])
        return [False] * len(jobs) if states is None else [states.get(job.job_id, "") not in _ALIVE for job in jobs]


_ALIVE = {
    *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"),
    *("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
}


def slurm_states(job_ids: Sequence[str]) -> dict[str, str] | None:
    """Return the states of jobs that SLURM still knows, by identifier; None when its controller does not answer."""
    roots = ",".join(sorted({job_id.partition("_")[0] for job_id in job_ids}))
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", f"--jobs={roots}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "Invalid job id" not in done.stderr:
        log.warning("squeue: %s", done.stderr.strip())
        return None
    return dict(line.split("|", 1) for line in done.stdout.split())
