"""Training new members, one after the other or side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import keras

from degu.ensemble.member import Member
from degu.errors import EnsembleError
from degu.seeds import seeded
from degu.stacked import is_worth_it, train_together
from degu.train.fits import Fits, fits_of, run
from degu.train.network import Recipe, TrainingSet, network_fits

Engine = Literal["auto", "serial", "stacked"]
Scope = Callable[[int, int], contextlib.AbstractContextManager[Sequence[keras.callbacks.Callback]]]


@dataclass(frozen=True)
class NewMember:
    """A member that is to be trained.

    Attributes:
        index: Number of the member in its ensemble.
        name: Shown in the progress bar.
        seed: Its seed.
        recipe: How it is trained.
        path: Weight file to write.
        architecture: A value that members of one architecture share.
        build: Returns its network with fresh initial values.
    """

    index: int
    name: str
    seed: int
    recipe: Recipe
    path: Path
    architecture: Hashable
    build: Callable[[], keras.Model]


def train_members(
    members: Sequence[NewMember], data: TrainingSet, engine: Engine, scope: Scope | None
) -> Iterator[tuple[NewMember, Member, Any]]:
    """Train members and write their weights.

    Args:
        members: The members, in order.
        data: What they are trained on.
        engine: `"serial"`, one after the other; `"stacked"`, those of one architecture side by side; `"auto"` for the
            one that is quicker here.
        scope: Called with a member's index and seed; its context yields callbacks for that member.

    Yields:
        Each member when it is trained, its place in the ensemble, and what its training function returned.

    Raises:
        EnsembleError: When the engine is unknown, or a recipe cannot be stacked and the engine is `"stacked"`.
    """
    for group in _groups(members, engine):
        with contextlib.ExitStack() as scopes:
            trainings = [_started(member, data, scope, scopes) for member in group]
            results = _alone(group[0], trainings[0]) if len(group) == 1 else _together(group, trainings, len(members))
            for member, (history, units) in zip(group, results, strict=True):
                yield member, Member(member.path, member.seed, units), history


def check_engine(engine: str, recipes: Sequence[Recipe]) -> None:
    """Raise an `EnsembleError` when members cannot be trained with an engine."""
    if engine not in get_args(Engine):
        raise EnsembleError(f"Expected engine to be one of {get_args(Engine)}. Received: {engine!r}")
    if engine == "stacked" and any(fits_of(recipe.train_fun) is None for recipe in recipes):
        raise EnsembleError(
            "Expected a train_fun that is written in fits, see degu.train.in_fits, for engine='stacked'. "
            "Received: one that is not. Use engine='serial'"
        )


def _groups(members: Sequence[NewMember], engine: Engine) -> list[list[NewMember]]:
    """Return the members that are trained together."""
    if engine == "serial" or (engine == "auto" and not is_worth_it()):
        return [[member] for member in members]
    groups: dict[Any, list[NewMember]] = {}
    for member in members:
        alone = fits_of(member.recipe.train_fun) is None
        groups.setdefault(("alone", member.index) if alone else member.architecture, []).append(member)
    return list(groups.values())


def _started(member: NewMember, data: TrainingSet, scope: Scope | None, scopes: contextlib.ExitStack) -> Fits:
    callbacks = () if scope is None else scopes.enter_context(scope(member.index, member.seed))
    recipe = replace(member.recipe, callbacks=[*member.recipe.callbacks, *callbacks])
    with seeded(member.seed):
        model = member.build()
    return network_fits(member.name, model, member.seed, recipe, data, member.path)


def _alone(member: NewMember, training: Fits) -> list[Any]:
    with seeded(member.seed):
        return [run(training)]


def _together(group: Sequence[NewMember], trainings: Sequence[Fits], total: int) -> list[Any]:
    name = f"members {', '.join(str(member.index + 1) for member in group)}" if len(group) < total else "all members"
    return train_together(trainings, [member.seed for member in group], name)
