"""Training one network from its seed to its weights on disk: a member and a student alike."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike

from degu.data.scaling import TargetScaler
from degu.errors import TrainingError
from degu.files import write_json
from degu.train.call import TrainFun, start_train_fun
from degu.train.callbacks import EpochProgress
from degu.train.checkpoint import Checkpoint, resumable, state_path
from degu.train.fits import Fits, run
from degu.train.records import Checkpoints, save_trained
from degu.train.units import fitted_scaler, fold_into_output
from degu.train.weights import SUFFIX, save_weights

log = logging.getLogger(__name__)


class TrainingSet(NamedTuple):
    """What a network is trained on.

    Attributes:
        x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        y: Targets `(N, K)`.
        validation: `(x, y)` for early stopping, or None.
    """

    x: ArrayLike
    y: ArrayLike
    validation: Sequence[ArrayLike] | None


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        train_fun: `train_fun(model, x_train, y_train, validation_data, ...)`.
        arguments: Further arguments of it, checked against its signature.
        standardize: Train on standardised targets; the saved network speaks their own units all the same.
        callbacks: Keras callbacks.
    """

    train_fun: TrainFun
    arguments: Mapping[str, Any] = field(default_factory=dict)
    standardize: bool = False
    callbacks: Sequence[keras.callbacks.Callback] = ()


def train_network(
    name: str, model: keras.Model, seed: int, recipe: Recipe, data: TrainingSet, path: Path
) -> tuple[Any, TargetScaler | None]:
    """Train a network in place and write its weights; arguments and result are those of `network_fits`."""
    return run(network_fits(name, model, seed, recipe, data, path))


def network_fits(
    name: str,
    model: keras.Model,
    seed: int,
    recipe: Recipe,
    data: TrainingSet,
    path: Path,
    resume: Checkpoints | None = None,
) -> Fits:
    """Train a network in place, fit by fit, and write its weights.

    Args:
        name: Shown in the progress bar.
        model: A freshly built network.
        seed: Seed of the data order.
        recipe: How to train.
        data: What to train on.
        path: Weight file to write.
        resume: How often the training's state is kept beside it, from which an interrupted one goes on; None for not
            at all.

    Raises:
        TrainingError: When the training breaks. The weights of its best epoch before are then kept as
            `<path>.last_good.weights.h5`.

    Returns:
        What the training function returned, and the map to units that could not be folded into the network (None
        where it was folded or not needed).
    """
    scaler = fitted_scaler(model, data.y) if recipe.standardize else None
    checkpoint = None if resume is None else Checkpoint(state_path(path), seed, resume)
    fits = start_train_fun(
        recipe.train_fun,
        model,
        data.x,
        _standardized(data.y, scaler),
        None if data.validation is None else (data.validation[0], _standardized(data.validation[1], scaler)),
        offered={
            "seed": seed,
            "callbacks": [EpochProgress(name), *recipe.callbacks],
            "target_scaler": scaler,
        },
        asked=recipe.arguments,
    )
    try:
        history = yield from fits if checkpoint is None else resumable(fits, checkpoint)
    except TrainingError as error:
        if error.has_good_weights:
            if scaler is not None:
                fold_into_output(model, scaler)
            save_weights(model, last_good_path(path))
        raise
    if scaler is not None and fold_into_output(model, scaler):
        scaler = None
    units_path(path).unlink(missing_ok=True)
    if scaler is not None:
        log.info("%s: its last layer is not linear; the target units are kept in %s", name, units_path(path).name)
        write_json(units_path(path), scaler.to_dict())
    save_trained(model, path, seed, recipe.standardize, history)
    if checkpoint is not None:
        checkpoint.remove()
    return history, scaler


def last_good_path(weights: Path) -> Path:
    """Return where the last good weights of a training that failed are kept: never where those of a member are."""
    return weights.with_name(f"{weights.name.removesuffix(SUFFIX)}.last_good{SUFFIX}")


def units_path(weights: Path) -> Path:
    """Return where the map to units of a weight file is kept, if it has one."""
    return weights.with_name(weights.name.removesuffix(SUFFIX).removesuffix(".h5") + ".units.json")


def read_units(weights: Path) -> TargetScaler | None:
    """Return the map to units kept beside a weight file, or None."""
    path = units_path(weights)
    return TargetScaler.from_dict(json.loads(path.read_text())) if path.is_file() else None


def _standardized(y: ArrayLike, scaler: TargetScaler | None) -> ArrayLike:
    return y if scaler is None else scaler.transform(np.asarray(y))
