"""What would otherwise fail after hours of training: networks, recipes and labels that do not fit, found before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import keras
import numpy as np
from omegaconf import DictConfig

from degu.augment import RandomSubset
from degu.config import build, frozen
from degu.data import Splits
from degu.distill import Distiller
from degu.distill.stages import LiveStages
from degu.distill.targets import check_student
from degu.ensemble import Ensembler, PredictionCache
from degu.errors import ConfigError, DataError, DeguError
from degu.metrics import eval_classification
from degu.models.head_layers import ProbabilityHead
from degu.models.heads import head_layer
from degu.seeds import derive_seed
from degu.stages import new_ensembler, new_student
from degu.train.call import check_arguments
from degu.train.fit import check_loss
from degu.train.limits import check_recipe
from degu.train.units import check_units

T = TypeVar("T")
_RECIPES = "degu.train."


def check_trainings(config: DictConfig, splits: Splits, members: int) -> None:
    """Build the networks of a study, and check them against its data, recipes, losses and evaluation.

    Nothing is trained. What stands here is what a training, or the evaluation behind it, would refuse.

    Args:
        config: The study's config.
        splits: Its data.
        members: How many members its ensemble has.

    Raises:
        ConfigError: When a network cannot be built or does not fit, or a setting is outside of its range.
        DataError: When labels are none.
        EnsembleError: When members or student do not fit together.
    """
    _check_numbers(config)
    ensembler = _built("model", lambda: _members(config, splits, members))
    networks = ensembler.networks(members)
    if _function(build(config.evaluation.eval_fun)) is eval_classification:
        _check_classes(networks, splits)
    for network in networks:
        _check_outputs(network, ensembler, splits)
        if config.ensemble.standardize:
            check_units(network)
        check_loss(network, _loss(config.trainer))
    distiller, student = _built("distill", lambda: new_student(config, splits.length, ensembler))
    check_student(distiller.columns, student, config.distill.standardize)
    if config.distill.standardize:
        check_units(student)
    if config.distill.head_weights is not None:
        distiller.columns.weights(config.distill.head_weights)
    check_loss(student, _loss(config.distill.trainer))
    _check_teaching(config, distiller, ensembler)


def _check_numbers(config: DictConfig) -> None:
    settings = frozen(config)
    trainers = {"trainer": settings["trainer"], "distill.trainer": settings["distill"]["trainer"]}
    for key, trainer in trainers.items():
        if str(trainer.get("_target_", "")).startswith(_RECIPES):
            check_recipe(trainer, f"{key}.")
    check_recipe(settings["ensemble"].get("train") or {}, "ensemble.train.")
    finetune = settings["distill"]["teach"].get("finetune")
    check_recipe(finetune or {}, "distill.teach.finetune.")


def _members(config: DictConfig, splits: Splits, members: int) -> Ensembler:
    ensembler = new_ensembler(config, splits.length, splits.num_targets, PredictionCache(in_memory=0))
    ensembler.networks(members)
    return ensembler


def _built(key: str, make: Callable[[], T]) -> T:
    """Return what a function builds; what Keras says of impossible layers becomes a message about the config."""
    try:
        return make()
    except DeguError:
        raise
    except (ValueError, TypeError, ArithmeticError, NotImplementedError) as error:
        raise ConfigError(
            f"Expected a network that can be built from {key} for these data. Received, from its builder: "
            f"{' '.join(str(error).split())[:400]}"
        ) from error


def _check_outputs(network: keras.Model, ensembler: Ensembler, splits: Splits) -> None:
    shape = network.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2 or ensembler.num_targets != splits.num_targets:
        raise ConfigError(
            f"Expected a model with an output (batch, {splits.num_targets}), one column a target, or with a head of "
            f"degu.models.heads. Received: {network.name!r} with {shape}. Build it with the num_outputs it is given"
        )


def _check_classes(networks: list[keras.Model], splits: Splits) -> None:
    """Check that labels and predictions can be compared as classes."""
    for name, split in splits.items():
        for target, column in zip(splits.target_names, split.targets.T, strict=True):
            known = column[np.isfinite(column)]
            if not np.isin(known, (0.0, 1.0)).all():
                raise DataError(
                    f"{splits.source}, {name}: target {target!r}: expected labels 0 and 1 for "
                    f"evaluation=classification, received values from {known.min():g} to {known.max():g}. Label the "
                    "target, leave it out of data.targets, or use evaluation=regression."
                )
    for network in networks:
        if not isinstance(head_layer(network), ProbabilityHead) and not _ends_in_sigmoid(network):
            raise ConfigError(
                f"Expected a model of probabilities for evaluation=classification. Received: {network.name!r}, whose "
                "outputs are not bounded. Set model.head._target_=degu.models.heads.Probability, "
                "loss=binary_crossentropy, ensemble.standardize=false and distill.standardize=false"
            )


def _ends_in_sigmoid(network: keras.Model) -> bool:
    activation = getattr(network.layers[-1], "activation", None)
    return activation in (keras.activations.sigmoid, keras.activations.softmax)


def _loss(trainer: DictConfig) -> Any:
    return getattr(build(trainer), "keywords", {}).get("loss")


def _function(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else function


def _check_teaching(config: DictConfig, distiller: Distiller, ensembler: Ensembler) -> None:
    """Check what changes sequences, and what labels them in the training step."""
    shape = (None, ensembler.networks(1)[0].input_shape[1], 4)
    _augmentation(build(config.ensemble.train), config, shape)
    teach, train_fun = build(config.distill.teach), build(config.distill.trainer)
    settings = getattr(teach, "keywords", {})
    if _function(teach) is not Distiller.distill_student_dynamic:
        return
    augmentation = _augmentation(settings, config, shape)
    finetune = settings.get("finetune")
    check_arguments(train_fun, finetune or {})
    LiveStages(ensembler, distiller.uncertainty_fun, augmentation, settings.get("append", False), train_fun, finetune)


def _augmentation(settings: Mapping[str, Any], config: DictConfig, shape: tuple[int | None, ...]) -> RandomSubset:
    """Return the augmentation that some arguments describe, built for the study's sequences."""
    names = {"max_augs_per_seq": "max_augs_per_seq", "hard_aug": "hard", "per": "per"}
    chosen = {own: settings[name] for name, own in names.items() if name in settings}
    augmentation = RandomSubset(settings.get("augment_list") or (), **chosen, seed=derive_seed(config.seed, "precheck"))
    augmentation.build(shape)
    return augmentation
