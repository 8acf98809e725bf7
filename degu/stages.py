"""The two trainings of a study, put together from its config: the ensemble and the student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
from omegaconf import DictConfig

from degu.config import build
from degu.data import Splits
from degu.distill import Distiller
from degu.ensemble import Ensembler, Member, PredictionCache
from degu.ensemble.training import MemberExecutor
from degu.errors import ConfigError
from degu.models.heads import LINEAR, Head
from degu.recording import Recorder, member_name
from degu.seeds import derive_seed, training_seed
from degu.train import Checkpoints
from degu.train.records import history_of, read_record


class TrainedStudent(NamedTuple):
    """A student after training.

    Attributes:
        distiller: Knows the layout of its columns.
        network: The network, which predicts in the targets' units.
        weights: Its weight file.
        history: Its Keras history.
    """

    distiller: Distiller
    network: keras.Model
    weights: Path
    history: keras.callbacks.History


def train_ensemble(
    config: DictConfig, splits: Splits, recorder: Recorder, output_dir: Path, executor: MemberExecutor
) -> tuple[Ensembler, list[keras.callbacks.History]]:
    """Train the members of a study and return them with their histories.

    Args:
        config: The study's config.
        splits: Its data.
        recorder: Records the trainings of this process.
        output_dir: Where weights and predictions go.
        executor: Where members are trained.
    """
    head = _head(_nodes(config))
    learnt = {name: head.targets(split, splits.target_names) for name, split in splits.items()}
    cache = PredictionCache(output_dir / "predictions")
    ensembler = new_ensembler(config, splits.length, splits.num_targets, cache)
    histories = ensembler.train(
        splits.train.tokens,
        learnt["train"],
        num_ensemble=config.ensemble.num_ensemble,
        train_fun=build(config.trainer),
        validation_data=(splits.valid.tokens, learnt["valid"]),
        save_prefix=output_dir / "weights" / "member",
        seed=config.seed,
        vary=config.ensemble.vary,
        standardize=config.ensemble.standardize,
        engine=config.ensemble.engine,
        on_member_failure=config.ensemble.on_member_failure,
        min_members=config.ensemble.min_members,
        executor=executor,
        resume=_checkpoints(config),
        scope=recorder.member,
        **build(config.ensemble.train),
    )
    return ensembler, histories


def combined_ensemble(
    config: DictConfig, splits: Splits, weights: Sequence[Path], output_dir: Path
) -> tuple[Ensembler, list[keras.callbacks.History]]:
    """Return the ensemble of members that were trained elsewhere, with their histories where these are known.

    Args:
        config: The study's config.
        splits: Its data.
        weights: Weight files in the study's folder.
        output_dir: Where predictions go.
    """
    cache = PredictionCache(output_dir / "predictions")
    ensembler = new_ensembler(config, splits.length, splits.num_targets, cache)
    records = [read_record(path) for path in weights]
    ensembler.members += [
        replace(Member.at(path), seed=None if record is None else record.seed)
        for path, record in zip(weights, records, strict=True)
    ]
    return ensembler, [(record and record.restored_history()) or history_of([], {}) for record in records]


def new_ensembler(config: DictConfig, length: int, num_targets: int, cache: PredictionCache) -> Ensembler:
    """Return the ensemble of a study without its members.

    Args:
        config: The study's config.
        length: Letters per sequence.
        num_targets: Targets per sequence.
        cache: Where its predictions are kept.
    """
    architectures = [_architecture(node, length, num_targets) for node in _nodes(config)]
    return build(config.ensemble.ensembler)(architectures, uncertainty_fun=build(config.uncertainty), cache=cache)


def new_student(config: DictConfig, length: int, ensembler: Ensembler) -> tuple[Distiller, keras.Model]:
    """Return the distiller of a study, and its student before training.

    Args:
        config: The study's config.
        length: Letters per sequence.
        ensembler: The ensemble.
    """
    settings = config.distill
    distiller = Distiller(
        ensembler,
        val_target=settings.val_target,
        alpha=settings.alpha,
        head_weights=settings.head_weights,
        standardize=settings.standardize,
    )
    architecture = _student_architecture(config, length, ensembler.num_targets, distiller.columns.total)
    return distiller, distiller.new_student(architecture, config.seed)


def _nodes(config: DictConfig) -> list[Any]:
    """Return the config nodes of the members' architectures."""
    return [config.model] if config.ensemble.models is None else list(config.ensemble.models.values())


def _head(nodes: list[Any]) -> Head:
    """Return the head of the members; a builder without one predicts the targets themselves."""
    heads = [build(node.head) if "head" in node else LINEAR for node in nodes]
    if any(head != heads[0] for head in heads):
        raise ConfigError(f"Expected members with one head. Received: {heads}. Set the same head in every model")
    return heads[0]


def _architecture(node: Any, length: int, num_outputs: int) -> Callable[..., keras.Model]:
    """Return a function without arguments that builds the network for these data."""
    return partial(build(node), input_shape=(length, 4), num_outputs=num_outputs)


def distill_student(
    config: DictConfig, splits: Splits, ensembler: Ensembler, recorder: Recorder, output_dir: Path
) -> TrainedStudent:
    """Train the student of a study."""
    settings = config.distill
    distiller, student = new_student(config, splits.length, ensembler)
    with recorder.network("student") as callbacks:
        weights, history = build(settings.teach)(
            distiller,
            splits.train.tokens,
            splits.train.targets,
            student,
            build(settings.trainer),
            validation_data=(splits.valid.tokens, splits.valid.targets),
            save_prefix=output_dir / "weights" / "student",
            seed=config.seed,
            resume=_checkpoints(config),
            callbacks=callbacks,
        )
    return TrainedStudent(distiller, student, Path(weights), history)


def network_seeds(config: DictConfig, members: int) -> dict[str, int]:
    """Return the seeds of a study's networks by name: those of so many members, `member-00` ..., then `student`."""
    vary = config.ensemble.vary
    seeds = {member_name(index): training_seed(config.seed, index, vary) for index in range(members)}
    return {**seeds, "student": derive_seed(config.seed, "student")}


def _checkpoints(config: DictConfig) -> Checkpoints | None:
    """Return how often the states of trainings are kept; None where nothing is to be resumed."""
    return Checkpoints(**config.checkpoint) if config.resume else None


def _student_architecture(
    config: DictConfig, length: int, num_targets: int, num_outputs: int
) -> Callable[[], keras.Model]:
    """Return the builder of the student: the members' architecture, or its own, with a head for its columns."""
    own = config.distill.get("student")
    node = config.model if own is None else own
    architecture = _architecture(node, length, num_outputs)
    if "head" not in node:
        return architecture
    return partial(architecture, head=_head(_nodes(config)).student(num_targets))
