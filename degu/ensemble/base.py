"""Members of one architecture that differ in initial values and data order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, final

import keras
from numpy.typing import ArrayLike

from degu.ensemble.cache import PredictionCache
from degu.ensemble.ensembler import Ensembler, UncertaintyFun, recipe_of
from degu.ensemble.fresh import Builder, fresh_model
from degu.ensemble.training import Engine, How, MemberExecutor, OnFailure, Scope, Vary
from degu.errors import EnsembleError
from degu.train.network import TrainingSet
from degu.train.records import Checkpoints
from degu.uncertainty import logvar


@final
class EnsemblerBase(Ensembler):
    """A deep ensemble of one architecture.

    Args:
        base_model: A model, whose architecture is copied for every member and whose weights are never touched, or a
            function without arguments that returns a new model.
        weight_paths: Weight files of members trained elsewhere.
        uncertainty_fun: How their disagreement is expressed.
        cache: Where member predictions are kept.

    References:
        Lakshminarayanan, Pritzel, Blundell (2017), "Simple and scalable predictive uncertainty estimation using deep
        ensembles", arXiv:1612.01474.
    """

    def __init__(
        self,
        base_model: keras.Model | Builder,
        weight_paths: Iterable[str | Path] | None = None,
        uncertainty_fun: UncertaintyFun = logvar,
        cache: PredictionCache | None = None,
    ) -> None:
        super().__init__(weight_paths, uncertainty_fun, cache)
        self.base_model = base_model

    @classmethod
    def of(
        cls, architectures: Sequence[Builder], uncertainty_fun: UncertaintyFun, cache: PredictionCache | None = None
    ) -> EnsemblerBase:
        """Return an empty ensemble of the one architecture given; the form that every kind of ensemble shares.

        Raises:
            EnsembleError: When more than one is given.
        """
        return cls(only_architecture(architectures), uncertainty_fun=uncertainty_fun, cache=cache)

    def _build(self, index: int, seed: int | None) -> keras.Model:
        return fresh_model(self.base_model, seed)

    def _architecture(self, index: int) -> Hashable:
        return "base"

    def train(
        self,
        x_train: ArrayLike,
        y_train: ArrayLike,
        num_ensemble: int,
        train_fun: Callable[..., Any],
        validation_data: Sequence[ArrayLike] | None = None,
        save_prefix: str | Path = "member",
        *,
        seed: int = 0,
        vary: Vary = "both",
        standardize: bool = False,
        overwrite: bool = False,
        engine: Engine = "auto",
        executor: MemberExecutor | None = None,
        resume: Checkpoints | None = None,
        on_member_failure: OnFailure = "stop",
        min_members: int = 1,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        scope: Scope | None = None,
        **train_kwargs: Any,
    ) -> list[Any]:
        """Train new members and add them to the ensemble.

        Args:
            x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
            y_train: Targets `(N, K)`.
            num_ensemble: Number of members to train.
            train_fun: A recipe such as `degu.train.train_standard_fun`.
            validation_data: `(x, y)` for early stopping.
            save_prefix: Weights go to `<save_prefix>_<index>.weights.h5`; folders are made as needed.
            seed: Seed of the ensemble; every member derives its own from it.
            vary: What members of one architecture differ in: `"initial_values"` (and dropout), `"data_order"` (and
                augmentation), or `"both"`.
            standardize: Train on standardised targets. Predictions are in the targets' own units either way.
            overwrite: Allow replacing weight files that exist.
            engine: `"serial"`, one member after the other; `"stacked"`, members of one architecture side by side on the
                device; `"auto"` for the one that is quicker here.
            executor: Where members are trained, such as `degu.ensemble.LocalProcesses()`; by default in this process.
            resume: Keep members that an earlier call with the same arguments has finished, and go on where it was
                interrupted; see `degu.train.Checkpoints`. None trains every member.
            on_member_failure: `"stop"` with the first member whose training fails, or `"continue"` without it.
            min_members: Fewest members that must be trained.
            callbacks: Keras callbacks of every member.
            scope: Called with a member's index and seed; its context yields callbacks for that member.
            **train_kwargs: Arguments of `train_fun`, checked against its signature.

        Returns:
            What `train_fun` returned for each new member that did not fail, by convention Keras histories.

        Raises:
            TrainingError: When a training fails.
            ConfigError: When `train_fun` has no such argument.
            EnsembleError: When weight files exist, or members would start from the same values.
        """
        recipe = recipe_of(train_fun, train_kwargs, standardize, callbacks)
        data = TrainingSet(x_train, y_train, validation_data)
        how = How(engine, scope, resume, on_member_failure, min_members, vary)
        return self._train(data, [recipe] * num_ensemble, save_prefix, seed, overwrite, how, executor)


def only_architecture(architectures: Sequence[Builder]) -> Builder:
    """Return the one architecture of an ensemble that has no other.

    Raises:
        EnsembleError: When there are several; `EnsemblerMixed` takes these.
    """
    if len(architectures) != 1:
        raise EnsembleError(
            f"Expected one architecture. Received: {len(architectures)}. Use ensemble=mixed for several"
        )
    return architectures[0]
