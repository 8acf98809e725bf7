"""Where the members of one ensemble are trained: in this process, or in processes of this machine.

Members depend on their seed alone, so they are the same wherever they are trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from degu.ensemble.jobs import JobExecutor, Trained
from degu.ensemble.training import How, NewMember, train_members
from degu.train.network import TrainingSet

if TYPE_CHECKING:
    from submitit import Executor, Job


@final
@dataclass(frozen=True)
class InProcess:
    """Trains members in this process, as the engine says.

    Attributes:
        only: Number of the one member to be trained; None for all.
    """

    only: int | None = None

    def train(self, members: Sequence[NewMember], data: TrainingSet, how: How) -> Iterator[Trained]:
        """Train members one after the other or side by side."""
        chosen = [member for member in members if self.only in (None, member.index)]
        return train_members(chosen, data, how)


@final
@dataclass(frozen=True)
class LocalProcesses(JobExecutor):
    """Trains members in processes of this machine.

    Attributes:
        devices: Numbers or names of the GPUs to use; None for all that this process sees, an empty list for the CPU.
        jobs_per_device: Processes at a time on every GPU, or on the CPU.
        threads: Threads of the backend in every process; None leaves them to it. Results depend on the number of
            threads, in their last digits.
    """

    devices: Sequence[int | str] | None = None
    jobs_per_device: int = 1
    threads: int | None = None

    def slots(self, members: int) -> list[Any]:
        """Return the name of a GPU, or None for the CPU, for each process that may run at a time."""
        from degu.devices import visible_gpus

        devices = visible_gpus() if self.devices is None else self.devices
        slots: list[Any] = [*devices] or [None]
        return [device for _ in range(self.jobs_per_device) for device in slots]

    def executor(self, folder: Path, slot: Any) -> Executor:
        """Return an executor whose process sees one GPU, or none."""
        from submitit import LocalExecutor

        executor = LocalExecutor(folder)
        gpus = [] if slot is None else [slot]
        a_year = 60 * 24 * 365
        executor.update_parameters(timeout_min=a_year, gpus_per_node=len(gpus), visible_gpus=gpus)
        if self.threads is not None:
            names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
            executor.update_parameters(setup=[f"export {name}={self.threads}" for name in names])
        return executor

    def have_ended(self, jobs: Sequence[Job]) -> list[bool]:
        """Ask the processes."""
        return [job.done() for job in jobs]
