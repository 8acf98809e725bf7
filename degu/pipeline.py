"""One study from its config to its results: data, ensemble, student, evaluation, record."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from degu.config import build, check_targets, frozen
from degu.data import Splits
from degu.errors import ConfigError
from degu.evaluation import ShiftedSet
from degu.inference.calibration import CALIBRATION
from degu.provenance import collect
from degu.recording import Recorder, epochs, write_json, write_text
from degu.report.arrays import write_logos, write_test_arrays
from degu.report.page import REPORT, write_report
from degu.report.table import comparison_table
from degu.results import EVALUATED, Answers, check_objective, comparison, known_range, of_networks, rehearsal
from degu.stages import distill_student, train_ensemble
from degu.tracking import Tracker
from degu.tracking.protocol import KIND_TAG, OBJECTIVE_TAG
from degu.trust import assess, shifted_of

log = logging.getLogger(__name__)
RECORDED = ("results.json", "provenance.json", "timings.json", "comparison.txt", "evaluation", "predictions")


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
        `timings.json`, `config.yaml`, the weights, the member predictions, the figures and `report.html`.

    Raises:
        DeguError: When config or data cannot be used.
    """
    clock = _Clock()
    check_targets(config)
    splits = build(config.data).downsample(**config.downsample)
    device = str(build(config.device))
    sets = _check(config, splits)
    output_dir.mkdir(parents=True, exist_ok=True)
    _announce(splits, output_dir)
    clock.lap("data")
    tags = {KIND_TAG: "study", OBJECTIVE_TAG: config.objective.metric, "degu.device": device}
    with tracker.start(config.name, tags) as study:
        study.config(frozen(config))
        write_text(output_dir / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(frozen(config))))
        summary = {"name": Path(splits.source).name, **splits.summary()}
        provenance = collect(summary, config.seed, device, command)
        study.tags(provenance)
        write_json(output_dir / "provenance.json", provenance)
        result = _study(config, splits, sets, study, Recorder(study, output_dir, device), output_dir, clock)
        write_json(output_dir / "timings.json", clock.seconds)
        study.metrics({f"seconds/{stage}": value for stage, value in clock.seconds.items()})
        for name in RECORDED:
            study.artifact(output_dir / name)
        if (output_dir / CALIBRATION).is_file():
            study.artifact(output_dir / CALIBRATION)
        _report(study, output_dir)
    return result


def _report(study: Tracker, output_dir: Path) -> None:
    """Write and record the report; the study is on record already and does not fail with it."""
    try:
        write_report(output_dir)
    except Exception:
        log.exception("There is no report of this study. `degu report %s` tries again", output_dir)
        return
    for name in (REPORT, "figures"):
        study.artifact(output_dir / name)


def _study(
    config: DictConfig,
    splits: Splits,
    sets: Sequence[ShiftedSet],
    study: Tracker,
    recorder: Recorder,
    output_dir: Path,
    clock: _Clock,
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
    trust = assess(config, splits, sets, ensembler, student, answers)
    write_json(output_dir / "evaluation" / "curves.json", trust.curves)
    if trust.calibration is not None:
        write_json(output_dir / CALIBRATION, trust.calibration.to_dict())
    if trust.logos is not None:
        write_logos(output_dir, trust.logos)
    clock.lap("trust")
    metrics = comparison(config, names, measured, answers) | trust.metrics
    study.metrics(metrics)
    runs = [f"member-{index:02d}" for index in range(ensembler.num_ensemble)] + ["student"]
    weights = [*(Path(path) for path in ensembler.weight_paths), student.weights]
    numbers = of_networks(config, names, measured, answers)
    for run_name, path, history, flat in zip(runs, weights, [*histories, student.history], numbers, strict=True):
        recorder.outcome(run_name, path, epochs(history), flat)
    result = _conclude(config, splits, study.run_id, output_dir, metrics, answers, ensembler.num_ensemble)
    spread = build(config.uncertainty)
    write_test_arrays(output_dir, names, measured["test"], answers.ensemble["test"], answers.student["test"], spread)
    clock.lap("record")
    return result


def _check(config: DictConfig, splits: Splits) -> list[ShiftedSet]:
    """Check what would otherwise fail after training, and return the shifted sets."""
    check_objective(config, rehearsal(config, splits))
    if config.ensemble.num_ensemble < 2:
        raise ConfigError(f"Expected ensemble.num_ensemble >= 2. Received: {config.ensemble.num_ensemble}")
    return shifted_of(config, splits)


def _announce(splits: Splits, output_dir: Path) -> None:
    log.info(
        "Data: %s sequences of %d bp; targets: %s",
        ", ".join(f"{len(split)} {name}" for name, split in splits.items()),
        splits.length,
        ", ".join(splits.target_names),
    )
    log.info("Output: %s", output_dir)


def _conclude(
    config: DictConfig,
    splits: Splits,
    run_id: str,
    output_dir: Path,
    metrics: dict[str, float],
    answers: Answers,
    num_members: int,
) -> StudyResult:
    check_objective(config, metrics)
    objective = config.objective.metric
    write_json(
        output_dir / "results.json",
        {
            "seed": config.seed,
            "data": splits.summary(),
            "targets": list(splits.target_names),
            "members": num_members,
            "known_range": known_range(splits.target_names, answers),
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
