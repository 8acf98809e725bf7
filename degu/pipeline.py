"""One study from its config to its results: data, ensemble, student, evaluation, record."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
from omegaconf import DictConfig, OmegaConf

from degu.config import build, check_targets, frozen
from degu.content import content_of
from degu.data import Splits
from degu.data.leaks import warn_of_leaks
from degu.elsewhere import Found, copied, digests, members_elsewhere
from degu.ensemble import Ensembler
from degu.ensemble.jobs import JobExecutor
from degu.errors import ConfigError
from degu.evaluation import ShiftedSet
from degu.files import write_json, write_text
from degu.inference.calibration import CALIBRATION
from degu.manifest import write_manifest
from degu.members import member_job
from degu.precheck import check_trainings
from degu.provenance import collect
from degu.recording import Recorder, member_name
from degu.report.arrays import write_logos, write_test_arrays
from degu.report.page import REPORT, write_report
from degu.report.table import comparison_table
from degu.results import EVALUATED, Answers, check_objective, comparison, known_range, of_networks, rehearsal
from degu.serving.recording import record_student
from degu.stages import combined_ensemble, distill_student, network_seeds, train_ensemble
from degu.study_folder import StudyFolder, claimed
from degu.tracking import Tracker
from degu.tracking.protocol import KIND_TAG, OBJECTIVE_TAG, SITTINGS_TAG
from degu.trust import assess, check_baselines, shifted_of

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


class Plan(NamedTuple):
    """A study that has been checked and whose data are loaded.

    Attributes:
        config: Its config.
        splits: Its data.
        sets: Its shifted sets.
        device: What it runs on, in words.
        content: What its results depend on; see `degu.content`.
        members: Members that were trained elsewhere; empty where the study trains its own.
        seconds: How long that took.
    """

    config: DictConfig
    splits: Splits
    sets: Sequence[ShiftedSet]
    device: str
    content: Mapping[str, Any]
    members: Sequence[Found]
    seconds: float


def plan(config: DictConfig) -> Plan:
    """Load the data of a study and check what would otherwise fail after training.

    Args:
        config: A composed config; see `conf/config.yaml`.

    Raises:
        DeguError: When config or data cannot be used.
    """
    began = time.perf_counter()
    splits, device, content = load(config)
    members = members_elsewhere(config, splits)
    if members:
        content = content_of(config, splits, digests(members))
    sets = _check(config, splits, len(members) or config.ensemble.num_ensemble)
    return Plan(config, splits, sets, device, content, members, time.perf_counter() - began)


def load(config: DictConfig) -> tuple[Splits, str, dict[str, Any]]:
    """Load the data of a study and prepare the device; return both, and what its results depend on."""
    check_targets(config)
    splits = build(config.data).downsample(**config.downsample)
    device = str(build(config.device))
    return splits, device, content_of(config, splits)


def run(
    config: DictConfig,
    tracker: Tracker,
    output_dir: Path,
    command: Sequence[str] = ("degu", "run"),
    planned: Plan | None = None,
) -> StudyResult:
    """Run a study, or what is left of it.

    A study is known by its content: config, data and code; see `degu.content`. A complete study of the same content in
    the folder is returned as it is. An interrupted one goes on where it stopped, in the runs that it had with the
    tracker, and ends with the results of an uninterrupted one.

    Args:
        config: A composed config; see `conf/config.yaml`.
        tracker: Root tracker, such as `degu.tracking.MLflowTracker`.
        output_dir: Folder for weights, results and figures; made if it does not exist.
        command: The command line that repeats the study, for the record.
        planned: What `plan` returned for the config, where that was called before.

    Returns:
        The result. The folder then holds `results.json`, which depends on config and data alone, `provenance.json`,
        `timings.json`, `config.yaml`, the weights, the member predictions, the figures and `report.html`.

    Raises:
        DeguError: When config or data cannot be used, or the folder holds another study.
    """
    planned = planned or plan(config)
    clock = _Clock(output_dir / "timings.json", planned.seconds)
    with claimed(output_dir, planned.content, config.resume) as folder:
        if folder.is_complete:
            log.info("%s holds this study, complete; nothing is trained", output_dir)
            return _kept(config, folder)
        _announce(planned.splits, folder)
        clock.lap("data")
        folder.use_tracker(getattr(tracker, "uri", ""))
        tracker.keep_unsent(output_dir)
        tags = {KIND_TAG: "study", OBJECTIVE_TAG: config.objective.metric, "degu.device": planned.device}
        with tracker.attach(folder.run_id("study", lambda: tracker.create(config.name, tags))) as study:
            result = _recorded(planned, study, folder, command, clock)
        folder.complete()
    return result


def _recorded(plan: Plan, study: Tracker, folder: StudyFolder, command: Sequence[str], clock: _Clock) -> StudyResult:
    """Run a study inside its run, and record its files."""
    config = plan.config
    study.config(_written_config(config, folder.path / "config.yaml"))
    summary = {"name": Path(plan.splits.source).name, **plan.splits.summary()}
    provenance = collect(summary, config.seed, plan.device, command)
    study.tags({**provenance, SITTINGS_TAG: str(folder.sittings)})
    write_json(folder.path / "provenance.json", provenance)
    recorder = Recorder(study, folder, plan.device)
    recorder.announce(network_seeds(config, len(plan.members) or config.ensemble.num_ensemble))
    result = _study(plan, study, recorder, clock)
    study.metrics({f"seconds/{stage}": value for stage, value in clock.seconds.items()})
    for name in RECORDED:
        study.artifact(folder.path / name)
    if (folder.path / CALIBRATION).is_file():
        study.artifact(folder.path / CALIBRATION)
    _report(study, folder.path)
    for path in write_manifest(folder.path, frozen(config), plan.splits):
        study.artifact(path, path.parent.relative_to(folder.path).as_posix().removeprefix("."))
    return result


def _written_config(config: DictConfig, path: Path) -> dict[str, Any]:
    """Write the config of a study, and return it; where the study has been begun before, return the one of then."""
    if not path.is_file():
        write_text(path, OmegaConf.to_yaml(OmegaConf.create(frozen(config))))
    written = OmegaConf.load(path)
    assert isinstance(written, DictConfig)
    return frozen(written)


def _kept(config: DictConfig, folder: StudyFolder) -> StudyResult:
    """Return the result of a complete study from its files."""
    results = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
    table = (folder.path / "comparison.txt").read_text(encoding="utf-8").rstrip("\n")
    metrics = results["metrics"]
    check_objective(config, metrics)
    return StudyResult(folder.run_ids["study"], folder.path, metrics[config.objective.metric], metrics, table)


def _report(study: Tracker, output_dir: Path) -> None:
    """Write and record the report; the study is on record already and does not fail with it."""
    try:
        write_report(output_dir)
    except Exception:
        log.exception("There is no report of this study. `degu report %s` tries again", output_dir)
        return
    for name in (REPORT, "figures"):
        study.artifact(output_dir / name)


def _study(plan: Plan, study: Tracker, recorder: Recorder, clock: _Clock) -> StudyResult:
    """Train, predict, compare and write everything down."""
    config, splits, output_dir = plan.config, plan.splits, recorder.folder.path
    ensembler, histories = _ensemble(plan, recorder)
    clock.lap("ensemble")
    student = distill_student(config, splits, ensembler, recorder, output_dir)
    clock.lap("student")
    names, measured = splits.target_names, dict(splits.items())
    answers = Answers(
        {split: ensembler.predict(measured[split].tokens) for split in EVALUATED},
        {split: student.distiller.predict_student(measured[split].tokens, student.network) for split in EVALUATED},
    )
    clock.lap("prediction")
    trust = assess(config, splits, plan.sets, ensembler, student, answers)
    write_json(output_dir / "evaluation" / "curves.json", trust.curves)
    if trust.calibration is not None:
        write_json(output_dir / CALIBRATION, trust.calibration.to_dict())
    if trust.logos is not None:
        write_logos(output_dir, trust.logos)
    clock.lap("trust")
    metrics = comparison(config, names, measured, answers) | trust.metrics
    study.metrics(metrics)
    weights = [*(Path(path) for path in ensembler.weight_paths), student.weights]
    numbers = of_networks(config, names, measured, answers)
    histories = [*histories, student.history]
    names_of_runs = [*(member_name(number) for number in ensembler.member_numbers), "student"]
    for name, path, history, flat in zip(names_of_runs, weights, histories, numbers, strict=True):
        recorder.outcome(name, path, history, flat)
    result = _conclude(config, splits, study.run_id, output_dir, metrics, answers, ensembler)
    spread = build(config.uncertainty)
    write_test_arrays(output_dir, names, measured["test"], answers.ensemble["test"], answers.student["test"], spread)
    record_student(study, output_dir, student, spread, splits)
    clock.lap("record")
    return result


def _ensemble(plan: Plan, recorder: Recorder) -> tuple[Ensembler, list[keras.callbacks.History]]:
    """Train the members of a study where its executor says, or combine those that were trained elsewhere."""
    config, folder = plan.config, recorder.folder.path
    if plan.members:
        return combined_ensemble(config, plan.splits, copied(plan.members, folder / "weights"), folder)
    executor = build(config.executor)
    if isinstance(executor, JobExecutor):
        job = partial(member_job, folder.absolute(), frozen(config)["tracking"])
        executor = replace(executor, job=job, folder=folder / "jobs")
    return train_ensemble(config, plan.splits, recorder, folder, executor)


def _check(config: DictConfig, splits: Splits, members: int) -> list[ShiftedSet]:
    """Check what would otherwise fail after training, and return the shifted sets."""
    check_objective(config, rehearsal(config, splits))
    if members < 2:
        raise ConfigError(f"Expected at least 2 members (ensemble.num_ensemble). Received: {members}")
    check_baselines(config, splits)
    check_trainings(config, splits, members)
    return shifted_of(config, splits)


def _announce(splits: Splits, folder: StudyFolder) -> None:
    log.info(
        "Data: %s sequences of %d bp; targets: %s",
        ", ".join(f"{len(split)} {name}" for name, split in splits.items()),
        splits.length,
        ", ".join(splits.target_names),
    )
    warn_of_leaks(splits)
    log.info("Output: %s", folder.path)
    if folder.sittings > 1:
        log.info("The study was interrupted; it goes on where it stopped")


def _conclude(
    config: DictConfig,
    splits: Splits,
    run_id: str,
    output_dir: Path,
    metrics: dict[str, float],
    answers: Answers,
    ensembler: Ensembler,
) -> StudyResult:
    check_objective(config, metrics)
    objective = config.objective.metric
    write_json(
        output_dir / "results.json",
        {
            "seed": config.seed,
            "data": splits.summary(),
            "targets": list(splits.target_names),
            "members": ensembler.num_ensemble,
            **({"failed_members": sorted(ensembler.failures)} if ensembler.failures else {}),
            "known_range": known_range(splits.target_names, answers),
            "objective": {"metric": objective, "value": metrics[objective]},
            "metrics": metrics,
        },
    )
    table = comparison_table(metrics, "test", config.evaluation.family, splits.target_names, ensembler.num_ensemble)
    write_text(output_dir / "comparison.txt", table + "\n")
    return StudyResult(run_id, output_dir, metrics[objective], metrics, table)


class _Clock:
    """Seconds of each stage of a study, over all its sittings.

    Args:
        path: File that they are kept in.
        spent: Seconds of the first stage before the clock was made.
    """

    def __init__(self, path: Path, spent: float) -> None:
        self.path = path
        self.seconds: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self._last = time.perf_counter() - spent

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 3)
        self._last = now
        write_json(self.path, self.seconds)
