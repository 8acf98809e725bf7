"""What a study measured: predictions of ensemble and student, and the numbers that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from omegaconf import DictConfig

from degu.config import build
from degu.data import Split, Splits
from degu.ensemble import Prediction
from degu.errors import ConfigError, nearest
from degu.evaluation import compare, member_metrics, noise_metrics, student_metrics
from degu.variants import range_limit

EVALUATED = ("valid", "test")
KNOWN_SHARE = 0.99
"""Part of the validation split whose epistemic values count as those of sequences that a model knows."""


class Answers(NamedTuple):
    """Predictions of the evaluated splits.

    Attributes:
        ensemble: The ensemble's, by split, with its members.
        student: The student's, by split.
    """

    ensemble: Mapping[str, Prediction]
    student: Mapping[str, Prediction]


def comparison(
    config: DictConfig, names: Sequence[str], measured: Mapping[str, Split], answers: Answers
) -> dict[str, float]:
    """Return the flat metrics of the study: single models, ensemble and student on every evaluated split."""
    eval_fun = build(config.evaluation.eval_fun)
    metrics: dict[str, float] = {}
    for split in EVALUATED:
        metrics |= compare(
            split,
            config.evaluation.family,
            names,
            measured[split].targets,
            answers.ensemble[split],
            answers.student[split],
            eval_fun,
            measured[split].target_std,
        )
    return metrics


def of_networks(
    config: DictConfig, names: Sequence[str], measured: Mapping[str, Split], answers: Answers
) -> list[dict[str, float]]:
    """Return the flat metrics of every single network: the members in order, then the student."""
    eval_fun, family = build(config.evaluation.eval_fun), config.evaluation.family
    members = answers.ensemble[EVALUATED[0]].members
    assert members is not None
    metrics: list[dict[str, float]] = [{} for _ in range(len(members) + 1)]
    for split in EVALUATED:
        teaching, student = answers.ensemble[split], answers.student[split]
        assert teaching.members is not None
        for flat, mean in zip(metrics, [*teaching.members, student.mean], strict=True):
            flat |= member_metrics(mean, measured[split].targets, eval_fun, names, f"{split}/{family}/")
        metrics[-1] |= student_metrics(student, teaching, names, split)
        metrics[-1] |= noise_metrics(student, measured[split].target_std, names, f"{split}/aleatoric/")
    return metrics


def known_range(names: Sequence[str], answers: Answers) -> dict[str, dict[str, float]]:
    """Return the epistemic value, in its own unit, above which a sequence is outside of what a model knows.

    Args:
        names: The K target names.
        answers: Predictions of the validation split; see `degu.variants.range_limit`.

    Returns:
        By row, `ensemble` and `student`, and target.
    """
    limits = {}
    for row, predictions in answers._asdict().items():
        limit = range_limit(predictions["valid"].epistemic, KNOWN_SHARE)
        limits[row] = dict(zip(names, limit.tolist(), strict=True))
    return limits


def rehearsal(config: DictConfig, splits: Splits) -> dict[str, float]:
    """Return the metrics of invented predictions, to learn their names before any training."""
    shape = (4, splits.num_targets)
    labels = np.tile(np.array([[0.0], [1.0]], np.float32), (2, splits.num_targets))
    generator = np.random.default_rng(0)
    noise = None if splits.test.target_std is None else generator.random(shape, np.float32)
    few = Split(np.zeros((4, splits.length), np.uint8), labels, np.arange(4).astype(str), noise)
    mean, epistemic, *members = generator.random((4, *shape))
    invented = dict.fromkeys(EVALUATED, Prediction(mean, epistemic, noise, np.stack(members)))
    return comparison(config, splits.target_names, dict.fromkeys(EVALUATED, few), Answers(invented, invented))


def check_objective(config: DictConfig, metrics: Mapping[str, float]) -> None:
    """Raise a `ConfigError` when the objective is no metric of this study."""
    objective = config.objective.metric
    if objective not in metrics:
        raise ConfigError(f"There is no metric {objective!r} (objective.metric).{nearest(objective, metrics)}")
