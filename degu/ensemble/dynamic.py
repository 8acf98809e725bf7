"""Members of one architecture that also differ in the augmentation they saw."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, final

import keras
from numpy.typing import ArrayLike

from degu.augment.subset import Per
from degu.ensemble.base import only_architecture
from degu.ensemble.cache import PredictionCache
from degu.ensemble.ensembler import Ensembler, UncertaintyFun, recipe_of
from degu.ensemble.fresh import Builder, fresh_model
from degu.ensemble.training import Engine, How, MemberExecutor, OnFailure, Scope, Vary
from degu.train.dynamic import train_dynamic_aug_fun
from degu.train.network import TrainingSet
from degu.train.records import Checkpoints
from degu.uncertainty import logvar


@final
class EnsemblerDynamic(Ensembler):
    """A deep ensemble trained with augmentation.

    Args:
        base_model: A model, whose architecture is copied for every member and whose weights are never touched, or a
            function without arguments that returns a new model.
        weight_paths: Weight files of members trained elsewhere.
        uncertainty_fun: How their disagreement is expressed.
        cache: Where member predictions are kept.
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
    ) -> EnsemblerDynamic:
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
        train_fun: Callable[..., Any] = train_dynamic_aug_fun,
        validation_data: Sequence[ArrayLike] | None = None,
        save_prefix: str | Path = "member",
        augment_list: Sequence[Any] = (),
        max_augs_per_seq: int = 2,
        hard_aug: bool = True,
        per: Per = "sequence",
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
        """Train new members with augmentation and add them to the ensemble.

        Args:
            x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
            y_train: Targets `(N, K)`.
            num_ensemble: Number of members to train.
            train_fun: A recipe that takes an `augment_list`.
            validation_data: `(x, y)` for early stopping, never augmented.
            save_prefix: Weights go to `<save_prefix>_<index>.weights.h5`.
            augment_list: Augmentations of `degu.augment` or objects of `evoaug_tf.augment`.
            max_augs_per_seq: Largest number of augmentations on one sequence.
            hard_aug: True for exactly that number, False for a random number up to it.
            per: `"sequence"` or `"batch"`: what draws its own choice of augmentations.
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
            **train_kwargs: Further arguments of `train_fun`, checked against its signature.

        Returns:
            What `train_fun` returned for each new member that did not fail, by convention Keras histories.

        Raises:
            TrainingError: When a training fails.
            ConfigError: When `train_fun` has no such argument, `augment_list` among them.
            EnsembleError: When weight files exist, or members would start from the same values.
        """
        augmentation = {
            "augment_list": list(augment_list),
            "max_augs_per_seq": max_augs_per_seq,
            "hard_aug": hard_aug,
            "per": per,
        }
        recipe = recipe_of(train_fun, {**augmentation, **train_kwargs}, standardize, callbacks)
        data = TrainingSet(x_train, y_train, validation_data)
        how = How(engine, scope, resume, on_member_failure, min_members, vary)
        return self._train(data, [recipe] * num_ensemble, save_prefix, seed, overwrite, how, executor)
