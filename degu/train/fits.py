"""A training as consecutive fits, so that an engine can run those of several networks side by side."""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, cast

import keras
from numpy.typing import ArrayLike

from degu.errors import TrainingError

if TYPE_CHECKING:
    from degu.train.checkpoint import Stage

Parameters = ParamSpec("Parameters")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What one call of `model.fit` does.

    Attributes:
        model: Trained in place.
        x: Tokens `(N, L)` uint8, encoded sequences `(N, L, 4)` or a `degu.data.TokenFile`.
        y: Targets `(N, K)`.
        validation: `(x, y)` in the same forms, or None.
        optimizer: A new optimiser.
        loss: A Keras loss or its name.
        metrics: Keras metrics to log beside the loss.
        batch_size: Sequences a step.
        first_epoch: Number of the first epoch, counted from 0.
        max_epochs: Upper limit of epochs from there.
        sample_weight: `(N,)` weights of training sequences, or None.
        seed: Seed of the data order.
        callbacks: Keras callbacks, in order.
        steps_per_execution: Training steps a launch.
        jit_compile: Compile the step with XLA.
        number: Which fit of its training it is, counted from 0.
        stage: Where its state is kept, if it is; a `degu.train.checkpoint.Stage`.
    """

    model: keras.Model
    x: Any
    y: ArrayLike
    validation: Sequence[Any] | None
    optimizer: keras.optimizers.Optimizer
    loss: str | keras.losses.Loss
    metrics: Sequence[str | keras.metrics.Metric]
    batch_size: int
    max_epochs: int
    seed: int
    callbacks: Sequence[keras.callbacks.Callback]
    first_epoch: int = 0
    sample_weight: ArrayLike | None = None
    steps_per_execution: int = 1
    jit_compile: bool = False
    number: int = 0
    stage: Stage | None = None


Fits = Generator[Fit, keras.callbacks.History, Any]
"""Yields a fit, is sent its history, and returns what the training returns."""


class TrainingFunction(Protocol[Parameters]):
    """A training function that can also be had as its fits."""

    fits: Callable[Parameters, Fits]

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
        """Train and return the history."""


def in_fits(fits: Callable[Parameters, Fits]) -> TrainingFunction[Parameters]:
    """Make a training function of a generator of fits.

    Called, the function runs the fits one after the other. Its attribute `fits` is the generator, from which an
    engine runs the fits of several networks together.

    Args:
        fits: `f(model, x_train, y_train, validation_data, ...)` that yields each `Fit`, is sent its history, and
            returns what the training function returns.
    """

    @functools.wraps(fits)
    def train(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
        return run(fits(*args, **kwargs))

    trained = cast(TrainingFunction[Parameters], train)
    trained.fits = fits
    return trained


def fits_of(train_fun: Callable[..., Any]) -> Callable[..., Fits] | None:
    """Return the generator of a training function, arguments fixed by `functools.partial` included; None without."""
    if isinstance(train_fun, functools.partial):
        inner = fits_of(train_fun.func)
        return None if inner is None else functools.partial(inner, *train_fun.args, **train_fun.keywords)
    return getattr(train_fun, "fits", None)


def run(fits: Fits) -> Any:
    """Run fits one after the other with Keras and return what the training returns."""
    return finish(fits, advance(fits))


def finish(fits: Fits, job: Fit | Finished) -> Any:
    """Run the rest of a training, whose next fit is at hand, with Keras."""
    from degu.train.fit import fit

    while isinstance(job, Fit):
        try:
            history = fit(job)
        except TrainingError as error:
            fail(fits, error)
            raise
        job = advance(fits, history)
    return job.value


def fail(fits: Fits, error: TrainingError) -> None:
    """Tell a training that its fit has failed, so that it can keep what is good."""
    with contextlib.suppress(TrainingError, StopIteration):
        fits.throw(error)


@dataclass(frozen=True)
class Finished:
    """A training that has no more fits.

    Attributes:
        value: What it returned.
    """

    value: Any


def advance(fits: Fits, history: keras.callbacks.History | None = None) -> Fit | Finished:
    """Hand a training the history of its last fit, None at the start, and return its next one."""
    try:
        return fits.send(history)
    except StopIteration as end:
        return Finished(end.value)


def drawn(seed: int | None) -> int:
    """Return a seed, drawn from Python's global random state where none is given."""
    return random.getrandbits(31) if seed is None else seed
