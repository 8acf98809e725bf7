"""Training new members, one after the other or side by side."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

import keras

from degu.ensemble.member import Member
from degu.errors import EnsembleError, TrainingError
from degu.seeds import seeded
from degu.stacked import is_worth_it, train_together
from degu.train.fits import Fits, fits_of, run
from degu.train.network import Recipe, TrainingSet, last_good_path, network_fits, read_units
from degu.train.records import Checkpoints, finished

log = logging.getLogger(__name__)

Engine = Literal["auto", "serial", "stacked"]
OnFailure = Literal["stop", "continue"]
Vary = Literal["both", "initial_values", "data_order"]
Failed = Callable[[int, TrainingError], None]
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


class MemberExecutor(Protocol):
    """Trains members somewhere."""

    def train(
        self, members: Sequence[NewMember], data: TrainingSet, how: How
    ) -> Iterator[tuple[NewMember, Member | None, Any]]:
        """Train members and write their weights; see `train_members`."""


class How(NamedTuple):
    """How new members are trained, whatever their recipe.

    Attributes:
        engine: `"serial"`, one after the other; `"stacked"`, those of one architecture side by side; `"auto"` for the
            one that is quicker here.
        scope: Called with a member's index and seed; its context yields callbacks for that member.
        resume: How often their states are kept, from which interrupted trainings go on; None for not at all.
        on_failure: `"stop"` with the first member whose training fails, or `"continue"` with the others.
        min_members: Fewest members to go on with.
        vary: What members of one architecture differ in.
    """

    engine: Engine = "auto"
    scope: Scope | None = None
    resume: Checkpoints | None = None
    on_failure: OnFailure = "stop"
    min_members: int = 1
    vary: Vary = "both"


def train_members(
    members: Sequence[NewMember], data: TrainingSet, how: How
) -> Iterator[tuple[NewMember, Member | None, Any]]:
    """Train members and write their weights.

    Args:
        members: The members, in order.
        data: What they are trained on.
        how: How.

    Yields:
        Each member when it is trained, its place in the ensemble, and what its training function returned; or None
        and the error of a member whose training failed.

    Raises:
        TrainingError: When a training fails and the others are not to go on.
    """
    for group in _groups(members, how.engine):
        with contextlib.ExitStack() as everything:
            scopes = [everything.enter_context(contextlib.ExitStack()) for _ in group]
            failed = partial(_failed, group, scopes, how)
            trainings = [_started(member, data, how, own) for member, own in zip(group, scopes, strict=True)]
            results = (
                _alone(group[0], trainings[0], failed)
                if len(group) == 1
                else _together(group, trainings, len(members), failed)
            )
        for member, result in zip(group, results, strict=True):
            if isinstance(result, TrainingError):
                yield member, None, result
            else:
                history, units = result
                yield member, Member(member.path, member.seed, units, member.index), history


def _failed(
    group: Sequence[NewMember], scopes: Sequence[contextlib.ExitStack], how: How, place: int, error: TrainingError
) -> None:
    """End the scope of a member whose training has failed, say so, and stop if that is wanted."""
    name = group[place].name
    log.error("%s failed: %s", name, error)
    scopes[place].__exit__(type(error), error, error.__traceback__)
    if how.on_failure == "stop":
        last = last_good_path(group[place].path)
        kept = f" Its last good weights are in {last.name}." if error.has_good_weights else ""
        raise TrainingError(
            f"{name}: {error}.{kept} on_member_failure=continue goes on without it", error.has_good_weights
        ) from error


def kept_members(members: Sequence[NewMember]) -> dict[int, tuple[Member, Any]]:
    """Return the members that an earlier call has trained to the end, and their histories, by index."""
    kept = {}
    for new in members:
        found = trained_member(new)
        if found is not None:
            log.info("%s: trained before; kept", new.name)
            kept[new.index] = found
    return kept


def trained_member(new: NewMember) -> tuple[Member, Any] | None:
    """Return the member whose weights another call or process has written, and its history; None where none has."""
    record = finished(new.path, new.seed)
    if record is None:
        return None
    return Member(new.path, new.seed, read_units(new.path), new.index), record.restored_history()


def check_how(how: How, recipes: Sequence[Recipe]) -> None:
    """Raise an `EnsembleError` when members cannot be trained this way."""
    engine = how.engine
    if how.on_failure not in get_args(OnFailure):
        raise EnsembleError(
            f"Expected on_member_failure to be one of {get_args(OnFailure)}. Received: {how.on_failure!r}"
        )
    if how.vary not in get_args(Vary):
        raise EnsembleError(f"Expected vary to be one of {get_args(Vary)}. Received: {how.vary!r}")
    if how.min_members > len(recipes):
        raise EnsembleError(
            f"Expected min_members of at most num_ensemble={len(recipes)}. Received: min_members={how.min_members}"
        )
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


def _started(member: NewMember, data: TrainingSet, how: How, own: contextlib.ExitStack) -> Fits:
    callbacks = () if how.scope is None else own.enter_context(how.scope(member.index, member.seed))
    recipe = replace(member.recipe, callbacks=[*member.recipe.callbacks, *callbacks])
    with seeded(member.seed):
        model = member.build()
    return network_fits(member.name, model, member.seed, recipe, data, member.path, how.resume)


def _alone(member: NewMember, training: Fits, failed: Failed) -> list[Any]:
    try:
        with seeded(member.seed):
            return [run(training)]
    except TrainingError as error:
        failed(0, error)
        return [error]


def _together(group: Sequence[NewMember], trainings: Sequence[Fits], total: int, failed: Failed) -> list[Any]:
    name = f"members {', '.join(str(member.index + 1) for member in group)}" if len(group) < total else "all members"
    return train_together(trainings, [member.seed for member in group], name, failed)
