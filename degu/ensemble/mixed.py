"""Members of several architectures."""

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
class EnsemblerMixed(Ensembler):
    """An ensemble over several architectures: member i has architecture `model_funs[i % len(model_funs)]`.

    Args:
        model_funs: Models, or functions without arguments that return a new model; all with the same output columns.
        weight_paths: Weight files of members trained elsewhere, in the order of the architectures.
        uncertainty_fun: How their disagreement is expressed.
        cache: Where member predictions are kept.

    Raises:
        EnsembleError: When `model_funs` is empty.
    """

    def __init__(
        self,
        model_funs: Sequence[keras.Model | Builder],
        weight_paths: Iterable[str | Path] | None = None,
        uncertainty_fun: UncertaintyFun = logvar,
        cache: PredictionCache | None = None,
    ) -> None:
        if not model_funs:
            raise EnsembleError("Expected at least one architecture in model_funs. Received: none")
        super().__init__(weight_paths, uncertainty_fun, cache)
        self.model_funs = tuple(model_funs)

    @classmethod
    def of(
        cls, architectures: Sequence[Builder], uncertainty_fun: UncertaintyFun, cache: PredictionCache | None = None
    ) -> EnsemblerMixed:
        """Return an empty ensemble of the architectures given; the form that every kind of ensemble shares."""
        return cls(architectures, uncertainty_fun=uncertainty_fun, cache=cache)

    def _build(self, index: int, seed: int | None) -> keras.Model:
        return fresh_model(self.model_funs[index % len(self.model_funs)], seed)

    def _architecture(self, index: int) -> Hashable:
        return index % len(self.model_funs)

    def train(
        self,
        x_train: ArrayLike,
        y_train: ArrayLike,
        num_ensemble: int | None = None,
        train_fun: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
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
            num_ensemble: Number of members to train; by default one for each architecture.
            train_fun: One recipe for all, or a list with one for each architecture; by default
                `degu.train.train_standard_fun`.
            validation_data: `(x, y)` for early stopping.
            save_prefix: Weights go to `<save_prefix>_<index>.weights.h5`.
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
            **train_kwargs: Arguments of every recipe, checked against its signature.

        Returns:
            What the recipe returned for each new member that did not fail, by convention Keras histories.

        Raises:
            TrainingError: When a training fails.
            ConfigError: When a recipe has no such argument.
            EnsembleError: When weight files exist, members would start from the same values, or the number of recipes
                is not that of the architectures.
        """
        num_ensemble = len(self.model_funs) if num_ensemble is None else num_ensemble
        recipes = [
            recipe_of(self._train_fun(train_fun, index), train_kwargs, standardize, callbacks)
            for index in range(self.num_ensemble, self.num_ensemble + num_ensemble)
        ]
        data = TrainingSet(x_train, y_train, validation_data)
        how = How(engine, scope, resume, on_member_failure, min_members, vary)
        return self._train(data, recipes, save_prefix, seed, overwrite, how, executor)

    def _train_fun(
        self, train_fun: Callable[..., Any] | Sequence[Callable[..., Any]] | None, index: int
    ) -> Callable[..., Any]:
        if train_fun is None:
            from degu.train.standard import train_standard_fun

            return train_standard_fun
        if callable(train_fun):
            return train_fun
        if len(train_fun) != len(self.model_funs):
            raise EnsembleError(
                f"Expected one train_fun, or one for each of {len(self.model_funs)} architectures. "
                f"Received: {len(train_fun)}"
            )
        return train_fun[index % len(self.model_funs)]
