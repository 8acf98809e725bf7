"""Calling a training function with exactly the arguments that it has."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from degu.errors import ConfigError, nearest

TrainFun = Callable[..., Any]


def call_train_fun(train_fun: TrainFun, *args: Any, offered: Mapping[str, Any], asked: Mapping[str, Any]) -> Any:
    """Call a training function.

    Args:
        train_fun: `train_fun(model, x_train, y_train, validation_data, ...)`.
        *args: Its positional arguments.
        offered: Arguments that are passed only if the function has them (`seed`, `callbacks`).
        asked: Arguments that the user asked for; each must exist.

    Returns:
        What the function returns, by convention a Keras history.

    Raises:
        ConfigError: When an argument that the user asked for does not exist.
    """
    check_arguments(train_fun, asked)
    names = _keyword_names(train_fun)
    taken = offered if names is None else {name: value for name, value in offered.items() if name in names}
    return train_fun(*args, **{**taken, **asked})


def check_arguments(train_fun: TrainFun, asked: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` for an argument that the training function does not have."""
    names = _keyword_names(train_fun)
    for name in asked:
        if names is not None and name not in names:
            label = getattr(getattr(train_fun, "func", train_fun), "__name__", repr(train_fun))
            raise ConfigError(f"{label} has no argument {name!r}.{nearest(name, names)}")


def _keyword_names(train_fun: TrainFun) -> set[str] | None:
    """Names that can be passed by keyword, or None if any can."""
    parameters = inspect.signature(train_fun).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    by_keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {parameter.name for parameter in parameters if parameter.kind in by_keyword}
