"""Calling a training function with exactly the arguments that it has."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from degu.errors import ConfigError, nearest
from degu.train.fits import Fits, fits_of, run

TrainFun = Callable[..., Any]

FORWARDED = ("seed", "callbacks")
"""What a training function with `**kwargs` is given too, because every recipe of degu takes it."""


def call_train_fun(train_fun: TrainFun, *args: Any, offered: Mapping[str, Any], asked: Mapping[str, Any]) -> Any:
    """Call a training function and return what it returns; the arguments are those of `start_train_fun`."""
    return run(start_train_fun(train_fun, *args, offered=offered, asked=asked))


def start_train_fun(train_fun: TrainFun, *args: Any, offered: Mapping[str, Any], asked: Mapping[str, Any]) -> Fits:
    """Start a training function, whose fits are yielded; one that is not written in fits runs on the first step.

    Args:
        train_fun: `train_fun(model, x_train, y_train, validation_data, ...)`.
        *args: Its positional arguments.
        offered: Arguments that are passed only if the function has them and nobody has fixed them; callbacks add up.
        asked: Arguments that the user asked for; each must exist.

    Returns:
        What the function returns, by convention a Keras history.

    Raises:
        ConfigError: When an argument that the user asked for does not exist.
    """
    check_arguments(train_fun, asked)
    arguments = {**_taken(train_fun, offered), **asked}
    fits = fits_of(train_fun)
    if fits is None:
        return train_fun(*args, **arguments)
    return (yield from fits(*args, **arguments))


def _taken(train_fun: TrainFun, offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the offered arguments that the function has and that a `functools.partial` has not fixed already."""
    named = _parameters(train_fun)
    takes_any = _keyword_names(train_fun) is None
    fixed = getattr(train_fun, "keywords", {})
    taken = {
        name: value
        for name, value in offered.items()
        if name not in fixed and (name in named or (takes_any and name in FORWARDED))
    }
    if "callbacks" in offered and "callbacks" in fixed:
        taken["callbacks"] = [*fixed["callbacks"], *offered["callbacks"]]
    return taken


def check_arguments(train_fun: TrainFun, asked: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` for an argument that the training function does not have."""
    names = _keyword_names(train_fun)
    for name in asked:
        if names is not None and name not in names:
            label = getattr(getattr(train_fun, "func", train_fun), "__name__", repr(train_fun))
            raise ConfigError(f"{label} has no argument {name!r}.{nearest(name, names)}")


def _keyword_names(train_fun: TrainFun) -> set[str] | None:
    """Names that can be passed by keyword, or None if any can."""
    parameters = _parameters(train_fun).values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    by_keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {parameter.name for parameter in parameters if parameter.kind in by_keyword}


def _parameters(train_fun: TrainFun) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(train_fun).parameters
