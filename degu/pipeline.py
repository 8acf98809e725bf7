"""One study from its config to its results: data, ensemble, student, evaluation, record."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from degu.config import build, check_targets, frozen
from degu.data import Splits
from degu.errors import ConfigError
from degu.provenance import collect
from degu.recording import Recorder, epochs, write_json
from degu.report.figures import comparison_figure
from degu.report.table import comparison_table
from degu.results import EVALUATED, Answers, check_objective, comparison, of_networks, rehearsal
from degu.stages import distill_student, train_ensemble
from degu.tracking import Tracker
from degu.tracking.protocol import KIND_TAG, OBJECTIVE_TAG

log = logging.getLogger(__name__)
RECORDED = ("results.json", "provenance.json", "timings.json", "comparison.txt", "figures", "predictions")


class StudyResult(NamedTuple):
    """What a study ends with.

    Attributes:
        run_id: The study's run with the tracker; empty when nothing is tracked.
        output_dir: Where its files are.
        objective: Value of the metric that the config names.
        metrics: All comparison metrics, flat.
        table: The comparison on the test split, as text.
    """

    run_id: str
    output_dir: Path
    objective: float
    metrics: dict[str, float]
    table: str


def run(
    config: DictConfig, tracker: Tracker, output_dir: Path, command: Sequence[str] = ("degu", "run")
) -> StudyResult:
    """Run a study.

    Args:
        config: A composed config; see `conf/config.yaml`.
        tracker: Root tracker, such as `degu.tracking.MLflowTracker`.
        output_dir: Folder for weights, results and figures; made if it does not exist.
        command: The command line that repeats the study, for the record.

    Returns:
        The result. The folder then holds `results.json`, which depends on config and data alone, `provenance.json`,
        `timings.json`, the weights, the member predictions and the figures.

    Raises:
        DeguError: When config or data cannot be used.
    """
    clock = _Clock()
    check_targets(config)
    splits = build(config.data).downsample(**config.downsample)
    device = str(build(config.device))
    _check(config, splits)
    output_dir.mkdir(parents=True, exist_ok=True)
    _announce(splits, output_dir)
    clock.lap("data")
    tags = {KIND_TAG: "study", OBJECTIVE_TAG: config.objective.metric, "degu.device": device}
    with tracker.start(config.name, tags) as study:
        study.config(frozen(config))
        summary = {"name": Path(splits.source).name, **splits.summary()}
        provenance = collect(summary, config.seed, device, command)
        study.tags(provenance)
        write_json(output_dir / "provenance.json", provenance)
        result = _study(config, splits, study, Recorder(study, output_dir, device), output_dir, clock)
        write_json(output_dir / "timings.json", clock.seconds)
        study.metrics({f"seconds/{stage}": value for stage, value in clock.seconds.items()})
        for name in RECORDED:
            study.artifact(output_dir / name)
    return result


def _study(
    config: DictConfig, splits: Splits, study: Tracker, recorder: Recorder, output_dir: Path, clock: _Clock
) -> StudyResult:
    """Train, predict, compare and write everything down."""
    ensembler, histories = train_ensemble(config, splits, recorder, output_dir)
    clock.lap("ensemble")
    student = distill_student(config, splits, ensembler, recorder, output_dir)
    clock.lap("student")
    names, measured = splits.target_names, dict(splits.items())
    answers = Answers(
        {split: ensembler.predict(measured[split].tokens) for split in EVALUATED},
        {split: student.distiller.predict_student(measured[split].tokens, student.network) for split in EVALUATED},
    )
    clock.lap("prediction")
    metrics = comparison(config, names, measured, answers)
    study.metrics(metrics)
    runs = [f"member-{index:02d}" for index in range(ensembler.num_ensemble)] + ["student"]
    weights = [*(Path(path) for path in ensembler.weight_paths), student.weights]
    numbers = of_networks(config, names, measured, answers)
    for run_name, path, history, flat in zip(runs, weights, [*histories, student.history], numbers, strict=True):
        recorder.outcome(run_name, path, epochs(history), flat)
    result = _conclude(config, splits, study.run_id, output_dir, metrics, ensembler.num_ensemble)
    figure_folder = output_dir / "figures"
    comparison_figure(names, measured["test"].targets, answers.ensemble["test"], answers.student["test"], figure_folder)
    clock.lap("record")
    return result


def _check(config: DictConfig, splits: Splits) -> None:
    """Check what would otherwise fail after training."""
    check_objective(config, rehearsal(config, splits))
    if config.ensemble.num_ensemble < 2:
        raise ConfigError(f"Expected ensemble.num_ensemble >= 2. Received: {config.ensemble.num_ensemble}")


def _announce(splits: Splits, output_dir: Path) -> None:
    log.info(
        "Data: %d train, %d valid, %d test sequences of %d bp; targets: %s",
        *(len(split) for _, split in splits.items()),
        splits.length,
        ", ".join(splits.target_names),
    )
    log.info("Output: %s", output_dir)


def _conclude(
    config: DictConfig, splits: Splits, run_id: str, output_dir: Path, metrics: dict[str, float], num_members: int
) -> StudyResult:
    check_objective(config, metrics)
    objective = config.objective.metric
    write_json(
        output_dir / "results.json",
        {
            "seed": config.seed,
            "data": splits.summary(),
            "members": num_members,
            "objective": {"metric": objective, "value": metrics[objective]},
            "metrics": metrics,
        },
    )
    table = comparison_table(metrics, "test", config.evaluation.family, splits.target_names, num_members)
    (output_dir / "comparison.txt").write_text(table + "\n", encoding="utf-8")
    return StudyResult(run_id, output_dir, metrics[objective], metrics, table)


class _Clock:
    """Seconds of each stage of a study."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 3)
        self._last = now
