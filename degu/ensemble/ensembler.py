"""The abstract ensemble: all bookkeeping of members, training and prediction."""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.row_files import TokenFile
from degu.ensemble.cache import PredictionCache
from degu.ensemble.executors import InProcess
from degu.ensemble.fresh import check_members_differ
from degu.ensemble.group import Group, predict_groups
from degu.ensemble.inference import graph_size
from degu.ensemble.member import Member
from degu.ensemble.outputs import aleatoric_targets, split_columns
from degu.ensemble.prediction import EnsembleEvaluation, Prediction
from degu.ensemble.training import How, MemberExecutor, NewMember, check_how, kept_members
from degu.errors import EnsembleError, TrainingError
from degu.metrics import eval_regression
from degu.models.heads import Column, output_columns
from degu.seeds import derive_seed, training_seed
from degu.train.batches import sequences
from degu.train.call import check_arguments
from degu.train.network import Recipe, TrainingSet
from degu.train.units import in_target_units
from degu.train.weights import SUFFIX, load_weights, refuse_overwrite
from degu.uncertainty import pooled_std

UncertaintyFun = Callable[..., NDArray]


class Ensembler(abc.ABC):
    """An ensemble of networks that predict the same targets.

    A final class says how the network of a member is built; training, prediction and evaluation are here.

    Attributes:
        members: The members, in order.
        failures: Errors of the members whose training failed, by number.

    Args:
        weight_paths: Weight files of members trained elsewhere, in order.
        uncertainty_fun: `f(predictions (M, N, K), axis=0) -> (N, K)`, such as `degu.utils.logvar`.
        cache: Where member predictions are kept; by default the last few, in memory.
    """

    def __init__(
        self,
        weight_paths: Iterable[str | Path] | None,
        uncertainty_fun: UncertaintyFun,
        cache: PredictionCache | None,
    ) -> None:
        self.uncertainty_fun = uncertainty_fun
        self.members: list[Member] = [Member.at(path) for path in weight_paths or ()]
        self.cache = PredictionCache() if cache is None else cache
        self.failures: dict[int, TrainingError] = {}
        self._groups: dict[Hashable, Group] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to build members: no graphs and no predictions."""
        return {**vars(self), "_groups": {}, "cache": PredictionCache()}

    @abc.abstractmethod
    def _build(self, index: int, seed: int | None) -> keras.Model:
        """Return the network of member `index` with fresh initial values."""

    @abc.abstractmethod
    def _architecture(self, index: int) -> Hashable:
        """Return a value that members of one architecture share."""

    @property
    def member_numbers(self) -> list[int]:
        """Numbers that the members were trained under, in order: their places, unless others have failed."""
        return [self._number(place) for place in range(self.num_ensemble)]

    @property
    def num_ensemble(self) -> int:
        """Number of members."""
        return len(self.members)

    @property
    def weight_paths(self) -> list[str]:
        """Weight files of the members, in order."""
        return [str(member.weights) for member in self.members]

    @property
    def num_targets(self) -> int:
        """Number of targets K that a member predicts the mean of."""
        return sum(column.meaning == "mean" for column in output_columns(self._network(0)))

    @property
    def aleatoric_targets(self) -> tuple[int, ...]:
        """Targets whose measurement noise members predict, counted from 0, in order."""
        return aleatoric_targets(self._network(0))

    def predict(self, x: ArrayLike | TokenFile, batch_size: int = 512) -> Prediction:
        """Predict activity and uncertainty.

        Args:
            x: Tokens `(N, L)` uint8, encoded sequences `(N, L, 4)` or a `degu.data.TokenFile`.
            batch_size: Sequences a batch.

        Returns:
            `Prediction` with the members' mean, their spread by `uncertainty_fun`, their mean aleatoric variance as a
            standard deviation (None where the networks have no such column, NaN for a target without one), and the
            members themselves.

        Raises:
            EnsembleError: When there are no members, or a weight file is missing or of another architecture.
        """
        means, aleatoric = split_columns(self._network(0), self.predict_members(x, batch_size))
        return Prediction(
            mean=means.mean(axis=0, dtype=np.float64).astype(means.dtype),
            epistemic=self.uncertainty_fun(means, axis=0),
            aleatoric=None if aleatoric is None else pooled_std(aleatoric),
            members=means,
        )

    def predict_members(self, x: ArrayLike | TokenFile, batch_size: int = 512) -> NDArray:
        """Return every output column of every member in the targets' units, `(M, N, columns)`.

        Predictions are computed once for given weights and sequences and read from the cache afterwards.
        """
        if not self.members:
            raise EnsembleError("Expected an ensemble with members. Received: none. Train it or pass weight_paths")
        for member in self.members:
            if not member.weights.is_file():
                raise EnsembleError(f"Expected member weights at {member.weights}. Received: no such file")
        self._check_columns(range(self.num_ensemble))
        x = sequences(x)
        groups = [self._group(index) for index in range(self.num_ensemble)]
        digests = [member.digest for member in self.members]
        made_by = [group.digest + digest for group, digest in zip(groups, digests, strict=True)]
        key = PredictionCache.key([*made_by, f"batches of {graph_size(len(x), batch_size)}"], x)
        outputs = self.cache.get(key)
        if outputs is None:
            outputs = predict_groups(groups, self.members, digests, x, batch_size)
            self.cache.put(key, outputs)
        return outputs

    def new_network(self) -> keras.Model:
        """Return an untrained network like the first member."""
        return self._build(0, 0)

    def networks(self, count: int) -> list[keras.Model]:
        """Return a network of each architecture that the first members have, with initial values.

        Args:
            count: Number of members, trained or not yet.

        Raises:
            EnsembleError: When they differ in their output columns.
        """
        self._check_columns(range(count))
        first = {self._architecture(index): index for index in reversed(range(count))}
        return [self._network(index) for index in sorted(first.values())]

    def load_members(self) -> list[keras.Model]:
        """Return every member as a network of its own, in the targets' units, with its weights loaded."""
        networks = []
        for index, member in enumerate(self.members):
            network = self._build(self._number(index), 0)
            load_weights(network, member.weights)
            networks.append(network if member.units is None else in_target_units(network, member.units))
        return networks

    def eval_ensemble(
        self, x: ArrayLike, y: ArrayLike, eval_fun: Callable[..., Any] = eval_regression, batch_size: int = 512
    ) -> EnsembleEvaluation:
        """Evaluate the ensemble's mean and every member against measurements.

        Args:
            x: Sequences, as for `predict`.
            y: Measurements `(N, K)`.
            eval_fun: `eval_fun(predictions, targets)`, such as `degu.metrics.eval_regression`.
            batch_size: Sequences a batch.

        Returns:
            `EnsembleEvaluation`, unpackable as `ensemble_results, member_results`.
        """
        prediction = self.predict(x, batch_size)
        assert prediction.members is not None
        return EnsembleEvaluation(eval_fun(prediction.mean, y), [eval_fun(member, y) for member in prediction.members])

    def _train(
        self,
        data: TrainingSet,
        recipes: Sequence[Recipe],
        save_prefix: str | Path,
        seed: int,
        overwrite: bool,
        how: How,
        executor: MemberExecutor | None,
    ) -> list[Any]:
        """Train one new member for each recipe and return their histories."""
        if not recipes:
            raise EnsembleError("Expected num_ensemble of at least 1. Received: no member to train")
        first = self._next
        indices = range(first, first + len(recipes))
        paths = [Path(f"{save_prefix}_{index}{SUFFIX}") for index in indices]
        for recipe in recipes:
            check_arguments(recipe.train_fun, recipe.arguments)
        check_how(how, recipes)
        members = [
            NewMember(
                index=index,
                name=f"member {index - first + 1}/{len(recipes)}",
                seed=training_seed(seed, index, how.vary),
                recipe=recipe,
                path=path,
                architecture=self._architecture(index),
                build=partial(self._build, index, self._initial_seed(index, seed, how)),
            )
            for index, path, recipe in zip(indices, paths, recipes, strict=True)
        ]
        trained: dict[int, tuple[Member | None, Any]] = {} if how.resume is None else {**kept_members(members)}
        waiting = [new for new in members if new.index not in trained]
        refuse_overwrite([new.path for new in waiting], overwrite)
        self._check_columns(indices)
        if how.vary != "data_order":
            self._check_initial_values(indices, seed)
        self._join(trained, indices)
        for new, member, history in (executor or InProcess()).train(waiting, data, how):
            trained[new.index] = member, history
            self._join(trained, indices)
        succeeded = [
            history
            for member, history in (trained[index] for index in indices if index in trained)
            if member is not None
        ]
        if len(succeeded) < how.min_members:
            raise EnsembleError(
                f"Expected at least min_members={how.min_members} members. Received: {len(succeeded)}; the training of "
                f"{len(recipes) - len(succeeded)} failed"
            )
        return succeeded

    def _join(self, trained: Mapping[int, tuple[Member | None, Any]], indices: range) -> None:
        """Add those of the trained members that follow on the last one; those that failed have no place."""
        for index in indices[self._next - indices.start :]:
            if index not in trained:
                return
            member, outcome = trained[index]
            if member is None:
                self.failures[index] = outcome
            else:
                self.members.append(member)

    @property
    def _next(self) -> int:
        """Number of the next member to be trained."""
        return max([*self.member_numbers, *self.failures], default=-1) + 1

    def _number(self, place: int) -> int:
        """Return the number that the member at a place was trained under."""
        number = self.members[place].number if place < self.num_ensemble else None
        return place if number is None else number

    def _check_columns(self, indices: range) -> None:
        """Compare the output columns of members with those of the first."""
        first = output_columns(self._network(0))
        for index in indices:
            columns = output_columns(self._network(index))
            if columns != first:
                raise EnsembleError(
                    f"Expected members with the same output columns as the first, {_names(first)}. "
                    f"Received: {_names(columns)} from member {index}. Give every architecture the same outputs"
                )

    def _check_initial_values(self, indices: range, seed: int) -> None:
        """Build two members of every architecture that will have more than one, and compare them."""
        for architecture in dict.fromkeys(self._architecture(index) for index in indices):
            pair = [index for index in range(indices.stop) if self._architecture(index) == architecture][-2:]
            if len(pair) == 2:
                check_members_differ(*(self._build(index, derive_seed(seed, "member", index)) for index in pair))

    def _initial_seed(self, index: int, seed: int, how: How) -> int:
        """Return the seed of a member's initial values and dropout; its architecture's, if only data orders vary."""
        if how.vary != "data_order":
            return derive_seed(seed, "member", index)
        key = self._architecture(index)
        return derive_seed(seed, "member", next(i for i in range(index + 1) if self._architecture(i) == key))

    def _network(self, index: int) -> keras.Model:
        """Return the network that members of one architecture take turns in; never the user's own model."""
        return self._group(index).network

    def _group(self, index: int) -> Group:
        """Return the members of the architecture of the member at a place."""
        number = self._number(index)
        key = self._architecture(number)
        if key not in self._groups:
            self._groups[key] = Group(self._build(number, 0))
        return self._groups[key]


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.meaning} {column.target}" for column in columns)


def recipe_of(
    train_fun: Callable[..., Any],
    train_kwargs: Mapping[str, Any],
    standardize: bool,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Recipe:
    """Return the recipe that the arguments of an ensembler's `train` describe."""
    return Recipe(train_fun, dict(train_kwargs), standardize, tuple(callbacks))
