"""Values that Optuna chooses."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from degu.config import build, frozen
from degu.errors import ConfigError
from degu.seeds import derive_seed
from degu.sweeps.driver import Driver
from degu.sweeps.plan import composed, digest, fixed, job, parsed, swept, values_of
from degu.sweeps.records import FINISHED, Job, Sweep

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

JOURNAL = "optuna.journal"
ONE_SEQUENCE = ("QMCSampler", "GridSampler", "BruteForceSampler")
"""Samplers whose seed stands for one sequence of all trials; any other is seeded anew for each trial."""


def run_search(
    config: DictConfig, context: HydraContext, task_function: TaskFunction, arguments: Sequence[str]
) -> list[Job]:
    """Run trials until there are `hydra.sweeper.n_trials`.

    Trials are kept in `optuna.journal` in the sweep's folder, which is named after the space, the sampler and its seed
    and the config that all trials share. A trial whose job was interrupted or failed is run again with the same values.
    Each trial's sampler is seeded by the number of the trial, so that a search that was interrupted goes on as one that
    was not, and never draws the first values again.

    Args:
        config: The config that the jobs share, with Hydra's part.
        context: Composes the configs of jobs.
        task_function: What a launcher calls for each job.
        arguments: Overrides; swept ones are the space.

    Returns:
        The jobs.

    Raises:
        ConfigError: When the space cannot be searched.
        SystemExit: When jobs failed.
    """
    driver = Driver(config, context, task_function)
    params = [f"{key}={value}" for key, value in driver.options.params.items()]
    overrides = parsed([*params, *arguments], driver.loader)
    space = {key: distribution(override) for key, override in swept(overrides).items()}
    if not space:
        raise ConfigError(
            "Expected something to search, as in trainer.initial_lr=interval(1e-4,1e-2). Received: nothing"
        )
    driver.common = fixed(overrides)
    shared = frozen(composed(driver.loader, config, driver.common))
    options = {"sampler": OmegaConf.to_container(driver.options.sampler), "seed": driver.options.seed}
    texts = {key: str(override.input_line) for key, override in swept(overrides).items()}
    sweep = driver.place(digest([job(0, driver.common, {}).overrides, shared, texts, options]))
    sweep.search = {"sweeper": "optuna", "space": texts, **options}
    with driver.running(sweep) as run:
        search = Search(driver, sweep, space)
        driver.recall(sweep, search.jobs())
        while jobs := search.next():
            driver.launch(sweep, jobs, run)
            sweep.read()
            search.tell()
    return sweep.jobs


class Search:
    """Trials of a study of Optuna, as jobs of a sweep.

    Args:
        driver: Of this call.
        sweep: The sweep.
        space: What is searched, by override key.
    """

    def __init__(self, driver: Driver, sweep: Sweep, space: Mapping[str, BaseDistribution]) -> None:
        self.driver, self.sweep, self.space = driver, sweep, dict(space)
        self._tried: set[int] = set()
        self._study = _study(sweep, driver.config.objective.direction)

    def jobs(self) -> list[Job]:
        """Return the trials so far as jobs."""
        return [self._job(trial.number, trial.params) for trial in self._study.trials if not _is_repeat(trial)]

    def next(self) -> list[Job]:
        """Return the jobs that come next: first those of earlier calls that are not complete, then new trials."""
        self.tell()
        left = [job for job in self.driver.chosen(self.sweep.jobs) if job.number not in self._tried]
        room = 0 if self.driver.options.only is not None else self.driver.options.n_trials - len(self._study.trials)
        while len(left) < self._width and room > 0:
            room -= 1
            trial = self._ask()
            if trial is not None:
                self.sweep.jobs.append(trial)
                left.append(trial)
        self._tried |= {job.number for job in left}
        return left

    @property
    def _width(self) -> int:
        """How many trials run at once."""
        launcher = self.driver.config.hydra.launcher
        known = self.driver.options.batch_size or launcher.get("n_jobs")
        return int(known or (1 if launcher._target_.endswith("BasicLauncher") else 4))

    def tell(self) -> None:
        """Give Optuna the objectives of finished jobs; those that failed stay open, to be run again."""
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            found = [job for job in self.sweep.having(FINISHED) if job.number == trial.number]
            if found and found[0].objective is None:
                self._study.tell(trial.number, state=TrialState.FAIL)
            elif found:
                self._study.tell(trial.number, found[0].objective)

    def _ask(self) -> Job | None:
        """Return a new trial; None when its values were tried before, which gives the objective without a job."""
        number, options = len(self._study.trials), self.driver.options
        is_sequence = options.sampler._target_.rpartition(".")[2] in ONE_SEQUENCE
        seed = options.seed if is_sequence else derive_seed(options.seed, "trial", number)
        self._study.sampler = build(options.sampler, seed=seed)
        trial = self._study.ask(self.space)
        new = self._job(trial.number, trial.params)
        for known in self.sweep.having(FINISHED):
            if known.values == new.values and known.objective is not None:
                trial.set_user_attr("repeats", known.number)
                self._study.tell(trial, known.objective)
                return None
        return new

    def _job(self, number: int, params: Mapping[str, Any]) -> Job:
        found = job(number, self.driver.common, {key: str(params[key]) for key in self.space})
        objective = self.driver.config.objective
        found.metric, found.direction = objective.metric, objective.direction
        return found


def _study(sweep: Sweep, direction: Any) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    journal = str(sweep.folder / JOURNAL)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(journal, lock_obj=JournalFileOpenLock(journal)))
    return optuna.create_study(study_name=sweep.name, storage=storage, direction=direction, load_if_exists=True)


def _is_repeat(trial: Any) -> bool:
    return "repeats" in trial.user_attrs


def distribution(override: Override) -> BaseDistribution:
    """Return what Optuna draws from for a swept override.

    `a,b`, `choice(a,b)` and `glob(*)` are categories; `range(a,b,step)` excludes b; `interval(a,b)` includes both
    and `int(interval(a,b))` has whole numbers alone; `tag(log, ...)` draws evenly on the scale of the logarithm.

    Raises:
        ConfigError: When there is nothing to draw.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    is_log = "log" in getattr(value, "tags", ())
    with _explained(override):
        if isinstance(value, IntervalSweep):
            ends: Any = (value.start, value.end)
            if all(isinstance(end, int) for end in ends):
                return IntDistribution(ends[0], ends[1], log=is_log)
            return FloatDistribution(ends[0], ends[1], log=is_log)
        if isinstance(value, RangeSweep):
            numbers = [float(text) for text in values_of(override)]
            if all(isinstance(part, int) for part in (value.start, value.stop, value.step)):
                return IntDistribution(int(min(numbers)), int(max(numbers)), log=is_log, step=abs(int(value.step)))
            return FloatDistribution(min(numbers), max(numbers), log=is_log, step=None if is_log else abs(value.step))
        return CategoricalDistribution(values_of(override))


@contextlib.contextmanager
def _explained(override: Override) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"Expected values to search in {override.input_line}. Received: {error}") from error
