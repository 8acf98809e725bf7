"""The sweepers of `degu run -m`, where Hydra looks for them; what they do stands in `degu.sweeps`.

Hydra imports this file whenever it starts, so it imports nothing but Hydra. Data classes
forbid `from __future__ import annotations` here: Hydra runs the file before it is a known module.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GridConf:
    """Options of both sweepers."""

    _target_: str = "hydra_plugins.degu_sweeper.GridSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    """Swept keys and their values, as on the command line."""
    isolate: bool = True
    """Run each job in a process of its own; a launcher that starts processes itself sets it to false."""
    batch_size: int | None = None
    """How many jobs are launched at a time; null: all of a grid, as many as run at once in a search."""
    per_gpu: int = 1
    """Jobs of this machine that share a GPU, where a launcher runs several at once."""
    only: list[int] | None = None
    """Numbers of the jobs to be run; null: all that are not finished."""


@dataclass
class OptunaConf(GridConf):
    """Options of a search."""

    _target_: str = "hydra_plugins.degu_sweeper.OptunaSweeper"
    n_trials: int = 20
    """Trials in all, those of earlier calls included."""
    seed: int = 0
    """Of the sampler."""
    sampler: dict[str, Any] = field(default_factory=lambda: {"_target_": "optuna.samplers.TPESampler"})
    """A sampler of Optuna and its arguments, without the seed."""


class GridSweeper(Sweeper):
    """Runs every combination of the swept values."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what the sweep needs; the launcher is built when the sweep's folder is known."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Sequence[Any]:
        """Run the jobs that the arguments stand for."""
        from degu.sweeps.grid import run_grid

        return self._told(run_grid, arguments)

    def _told(self, run: Any, arguments: list[str]) -> Sequence[Any]:
        """Run a sweep; an error that is the user's to mend ends it with a message, as everywhere."""
        from degu.errors import DeguError

        try:
            return run(self.config, self.hydra_context, self.task_function, arguments)
        except DeguError as error:
            if os.environ.get("HYDRA_FULL_ERROR"):
                raise
            sys.stderr.write(f"degu: {error}\n")
            raise SystemExit(2) from error


class OptunaSweeper(GridSweeper):
    """Lets Optuna choose the values."""

    def sweep(self, arguments: list[str]) -> Sequence[Any]:
        """Run trials in the space that the arguments describe."""
        from degu.sweeps.search import run_search

        return self._told(run_search, arguments)


_store = ConfigStore.instance()
_store.store(group="hydra/sweeper", name="degu_grid", node=GridConf, provider="degu")
_store.store(group="hydra/sweeper", name="degu_optuna", node=OptunaConf, provider="degu")
