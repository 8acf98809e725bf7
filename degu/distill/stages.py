"""The two stages of dynamic distillation, as one training function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from degu.augment import Augmentation
from degu.data.scaling import TargetScaler
from degu.distill.live import LiveTeaching, check_live
from degu.ensemble.ensembler import Ensembler
from degu.errors import ConfigError
from degu.seeds import derive_seed
from degu.train.call import start_train_fun
from degu.train.dynamic import joined
from degu.train.fits import Fits, run


@dataclass(frozen=True)
class LiveStages:
    """Trains a student behind live teachers, then on fixed targets.

    Attributes:
        ensembler: The teachers.
        spread: Unit of the epistemic columns.
        augmentation: Changes the batches of the first stage.
        append: Whether a batch is kept beside its augmented form.
        train_fun: The recipe of both stages.
        finetune: Its arguments that differ in the second stage; None leaves that stage out.

    Raises:
        ConfigError: When `train_fun` augments too, the augmentation lengthens sequences, or the spread is no `Spread`.
    """

    ensembler: Ensembler
    spread: Any
    augmentation: Augmentation
    append: bool
    train_fun: Callable[..., Any]
    finetune: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        check_live(self.spread, self.augmentation)
        if "augment_list" in inspect.signature(self.train_fun).parameters:
            raise ConfigError(
                "Expected a train_fun that does not augment, such as degu.train.train_standard_fun, because dynamic "
                "distillation augments the batches and has two stages itself. Received: one with an augment_list"
            )

    def __call__(
        self,
        model: keras.Model,
        x_train: ArrayLike,
        y_train: ArrayLike,
        validation_data: Sequence[ArrayLike] | None,
        *,
        target_scaler: TargetScaler | None,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **train_kwargs: Any,
    ) -> keras.callbacks.History:
        """Train a student; the arguments are those of a training function, and the scaler of its targets."""
        data = (x_train, y_train, validation_data)
        return run(self.fits(model, *data, target_scaler=target_scaler, seed=seed, callbacks=callbacks, **train_kwargs))

    def fits(
        self,
        model: keras.Model,
        x_train: ArrayLike,
        y_train: ArrayLike,
        validation_data: Sequence[ArrayLike] | None,
        *,
        target_scaler: TargetScaler | None,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **train_kwargs: Any,
    ) -> Fits:
        """Yield the fits of both stages; the arguments are those of a call."""
        scaler = target_scaler or TargetScaler.identity(np.asarray(y_train).shape[1])
        live = LiveTeaching(model, self.ensembler.load_members(), self.augmentation, self.spread, scaler, self.append)
        data = (x_train, y_train, validation_data)
        offered: dict[str, Any] = {"seed": seed, "callbacks": callbacks}
        first = yield from self._stage(live, data, offered, train_kwargs)
        if self.finetune is None:
            return joined([first])
        offered |= {"seed": derive_seed(seed, "finetune"), "initial_epoch": len(first.epoch)}
        second = yield from self._stage(model, data, offered, {**train_kwargs, **self.finetune})
        return joined([first, second])

    def _stage(self, model: keras.Model, data: tuple, offered: Mapping[str, Any], asked: Mapping[str, Any]) -> Fits:
        history = yield from start_train_fun(self.train_fun, model, *data, offered=offered, asked=asked)
        if not isinstance(history, keras.callbacks.History):
            raise ConfigError(
                "Expected a train_fun that returns a Keras history, because dynamic distillation joins those of its "
                f"stages. Received: {type(history).__name__}"
            )
        return history
