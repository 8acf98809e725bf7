"""One study from its config to its results: data, ensemble, student, evaluation, record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from degu.config import build, frozen
from degu.data import Splits
from degu.distill import Distiller
from degu.ensemble import Ensembler, Prediction, PredictionCache
from degu.errors import ConfigError, nearest
from degu.evaluation import compare, member_metrics, noise_metrics, student_metrics
from degu.models.heads import LINEAR, Head
from degu.provenance import collect
from degu.recording import Recorder, epochs, write_json
from degu.report.figures import comparison_figure
from degu.report.table import comparison_table
from degu.seeds import derive_seed
from degu.tracking import Tracker
from degu.tracking.protocol import KIND_TAG, OBJECTIVE_TAG

log = logging.getLogger(__name__)
EVALUATED = ("valid", "test")


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
    splits = build(config.data).downsample(**config.downsample)
    device = build(config.device)
    resolved = frozen(config)
    output_dir.mkdir(parents=True, exist_ok=True)
    log.info(
        "Data: %d train, %d valid, %d test sequences of %d bp; targets: %s",
        *(len(split) for _, split in splits.items()),
        splits.length,
        ", ".join(splits.target_names),
    )
    log.info("Output: %s", output_dir)
    clock.lap("data")
    tags = {KIND_TAG: "study", OBJECTIVE_TAG: config.objective.metric, "degu.device": str(device)}
    with tracker.start(config.name, tags) as study:
        data_summary = {"name": Path(splits.source).name, **splits.summary()}
        provenance = collect(data_summary, config.seed, str(device), command)
        study.config(resolved)
        study.tags(provenance)
        recorder = Recorder(study, output_dir, str(device))
        ensembler, histories = _train_ensemble(config, splits, recorder, output_dir)
        clock.lap("ensemble")
        distiller, student, weights, history = _distill(config, splits, ensembler, recorder, output_dir)
        clock.lap("student")
        teaching = {split: ensembler.predict(getattr(splits, split).tokens) for split in EVALUATED}
        answers = {split: distiller.predict_student(getattr(splits, split).tokens, student) for split in EVALUATED}
        clock.lap("prediction")
        metrics = _compare(config, splits, teaching, answers)
        _record_networks(config, splits, recorder, ensembler, teaching, answers, [*histories, history], weights)
        result = _conclude(config, splits, study, output_dir, metrics, ensembler.num_ensemble)
        write_json(output_dir / "provenance.json", provenance)
        comparison_figure(
            splits.target_names, splits.test.targets, teaching["test"], answers["test"], metrics, output_dir / "figures"
        )
        clock.lap("record")
        write_json(output_dir / "timings.json", clock.seconds)
        study.metrics({f"seconds/{stage}": value for stage, value in clock.seconds.items()})
        for name in ("results.json", "provenance.json", "timings.json", "comparison.txt", "figures", "predictions"):
            study.artifact(output_dir / name)
    return result


def _train_ensemble(
    config: DictConfig, splits: Splits, recorder: Recorder, output_dir: Path
) -> tuple[Ensembler, list[Any]]:
    nodes = _nodes(config)
    head = _head(nodes)
    learnt = {name: head.targets(split, splits.target_names) for name, split in splits.items()}
    architectures = [_architecture(node, splits, splits.num_targets) for node in nodes]
    ensembler = build(config.ensemble.ensembler)(
        architectures,
        uncertainty_fun=build(config.uncertainty),
        cache=PredictionCache(output_dir / "predictions"),
    )
    histories = ensembler.train(
        splits.train.tokens,
        learnt["train"],
        num_ensemble=config.ensemble.num_ensemble,
        train_fun=build(config.trainer),
        validation_data=(splits.valid.tokens, learnt["valid"]),
        save_prefix=output_dir / "weights" / "member",
        seed=config.seed,
        standardize=config.ensemble.standardize,
        scope=recorder.member,
        **build(config.ensemble.train),
    )
    return ensembler, histories


def _nodes(config: DictConfig) -> list[Any]:
    """Return the config nodes of the members' architectures."""
    return [config.model] if config.ensemble.models is None else list(config.ensemble.models.values())


def _head(nodes: list[Any]) -> Head:
    """Return the head of the members; a builder without one predicts the targets themselves."""
    heads = [build(node.head) if "head" in node else LINEAR for node in nodes]
    if any(head != heads[0] for head in heads):
        raise ConfigError(f"Expected members with one head. Received: {heads}. Set the same head in every model")
    return heads[0]


def _architecture(node: Any, splits: Splits, num_outputs: int) -> Callable[[], Any]:
    """Return a function without arguments that builds the network for these data."""
    return partial(build(node), input_shape=(splits.length, 4), num_outputs=num_outputs)


def _distill(
    config: DictConfig, splits: Splits, ensembler: Ensembler, recorder: Recorder, output_dir: Path
) -> tuple[Distiller, Any, Path, Any]:
    settings = config.distill
    distiller = Distiller(
        ensembler, val_target=settings.val_target, alpha=settings.alpha, standardize=settings.standardize
    )
    node = config.model if settings.get("student") is None else settings.student
    head = _head(_nodes(config)).student(splits.num_targets)
    outputs = distiller.columns.total
    architecture = _architecture(node, splits, outputs)
    if "head" in node:
        architecture = partial(build(node), input_shape=(splits.length, 4), num_outputs=outputs, head=head)
    student = distiller.new_student(architecture, config.seed)
    with recorder.network("student", "student", derive_seed(config.seed, "student")) as callbacks:
        weights, history = build(settings.teach)(
            distiller,
            splits.train.tokens,
            splits.train.targets,
            student,
            build(settings.trainer),
            validation_data=(splits.valid.tokens, splits.valid.targets),
            save_prefix=output_dir / "weights" / "student",
            seed=config.seed,
            callbacks=callbacks,
        )
    return distiller, student, Path(weights), history


def _compare(
    config: DictConfig, splits: Splits, teaching: Mapping[str, Prediction], answers: Mapping[str, Prediction]
) -> dict[str, float]:
    eval_fun = build(config.evaluation.eval_fun)
    metrics: dict[str, float] = {}
    for split in EVALUATED:
        measured = getattr(splits, split)
        metrics |= compare(
            split,
            config.evaluation.family,
            splits.target_names,
            measured.targets,
            teaching[split],
            answers[split],
            eval_fun,
            measured.target_std,
        )
    return metrics


def _record_networks(
    config: DictConfig,
    splits: Splits,
    recorder: Recorder,
    ensembler: Ensembler,
    teaching: Mapping[str, Prediction],
    answers: Mapping[str, Prediction],
    histories: list[Any],
    student_weights: Path,
) -> None:
    eval_fun, names, family = build(config.evaluation.eval_fun), splits.target_names, config.evaluation.family
    metrics: list[dict[str, float]] = [{} for _ in histories]
    for split in EVALUATED:
        measured, measured_std = getattr(splits, split).targets, getattr(splits, split).target_std
        means = [*(teaching[split].members), answers[split].mean]
        for flat, mean in zip(metrics, means, strict=True):
            flat |= member_metrics(mean, measured, eval_fun, names, f"{split}/{family}/")
        metrics[-1] |= student_metrics(answers[split], teaching[split], names, split)
        metrics[-1] |= noise_metrics(answers[split], measured_std, names, f"{split}/aleatoric/")
    runs = [f"member-{index:02d}" for index in range(ensembler.num_ensemble)] + ["student"]
    weights = [*(Path(path) for path in ensembler.weight_paths), student_weights]
    for name, path, history, flat in zip(runs, weights, histories, metrics, strict=True):
        recorder.outcome(name, path, epochs(history), flat)


def _conclude(
    config: DictConfig, splits: Splits, study: Tracker, output_dir: Path, metrics: dict[str, float], num_members: int
) -> StudyResult:
    study.metrics(metrics)
    objective = config.objective.metric
    if objective not in metrics:
        raise ConfigError(f"There is no metric {objective!r} (objective.metric).{nearest(objective, metrics)}")
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
    return StudyResult(study.run_id, output_dir, metrics[objective], metrics, table)


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
