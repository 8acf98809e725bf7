"""Fitting several networks side by side, with the callbacks, logs and histories that Keras would give each of them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import keras
import numpy as np

from degu.errors import EnsembleError
from degu.progress import Progress
from degu.stacked.device import DeviceData
from degu.stacked.steps import Logs, Plan
from degu.train.batches import epoch_order
from degu.train.callbacks import EpochProgress
from degu.train.fit import compiled, validation_batch
from degu.train.fits import Fit

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")

PLANS = {"tensorflow": "TensorFlowSteps", "jax": "JaxSteps"}
"""Backends, and their class in `degu.stacked.<backend>_steps`."""


def why_not(fits: Sequence[Fit]) -> str | None:
    """Return why some fits cannot be run side by side, as a clause, or None.

    Args:
        fits: One for each member, whose networks have one architecture.
    """
    first = fits[0]
    if keras.backend.backend() not in PLANS:
        return f"the backend {keras.backend.backend()} has no stack"
    if any((fit.batch_size, fit.max_epochs) != (first.batch_size, first.max_epochs) for fit in fits):
        return "they differ in batch size or number of epochs"
    if any(fit.x is not first.x for fit in fits) or not all(np.array_equal(fit.y, first.y, True) for fit in fits):
        return "they are trained on different data"
    if not isinstance(first.x, np.ndarray):
        return "the training data are not an array in memory"
    if not all(getattr(layer, "has_own_stream", True) for layer in first.model.layers):
        return "evoaug_tf objects draw from one random stream for all members"
    hooked = [callback for fit in fits for callback in fit.callbacks if _wants_batches(callback)]
    if hooked:
        return f"{type(hooked[0]).__name__} is called after every batch"
    return None


def fit_together(fits: Sequence[Fit], name: str = "members") -> list[keras.callbacks.History]:
    """Fit networks of one architecture side by side.

    Every network has its own data order, random streams, learning rate and callbacks, early stopping included, and
    ends with the weights that it would have if it were fitted alone, up to rounding. One that stops early leaves the
    computation.

    Args:
        fits: One for each network; see `why_not` for what they must share.
        name: Shown in the progress bar.

    Returns:
        Their Keras histories, in order.

    Raises:
        EnsembleError: When the fits cannot be run side by side.
        ConfigError: When a loss does not fit a network's head.
    """
    stack = Stack(fits)
    runs = [_Run(fit, network) for fit, network in zip(fits, stack.networks, strict=True)]
    live = list(range(len(fits)))
    done = max(fit.first_epoch for fit in fits)
    with Progress(name, done + fits[0].max_epochs, "epoch") as progress:
        for epoch in range(fits[0].max_epochs):
            for member, logs in zip(live, stack.epoch(live, epoch), strict=True):
                runs[member].end_epoch(epoch, logs)
            live = [member for member in live if not stack.networks[member].stop_training]
            progress.reach(done + epoch + 1, f"{len(live)} in training")
            if not live:
                break
    for member in live:
        runs[member].end()
    return [run.history for run in runs]


class Stack:
    """Networks of one architecture that are trained side by side, epoch by epoch.

    Args:
        fits: One for each network; see `why_not` for what they must share.

    Raises:
        EnsembleError: When the fits cannot be run side by side.
        ConfigError: When a loss does not fit a network's head.
    """

    def __init__(self, fits: Sequence[Fit]) -> None:
        reason = why_not(fits)
        if reason:
            raise EnsembleError(f"Expected fits that can run side by side. Received: {reason}")
        self.fits = fits
        first = fits[0]
        backend = keras.backend.backend()
        plan: Plan = getattr(importlib.import_module(f"degu.stacked.{backend}_steps"), PLANS[backend])
        self.networks = [_built(fit, plan) for fit in fits]
        self._steps = plan(
            self.networks,
            DeviceData.of(first.x, first.y, first.sample_weight),
            None if first.validation is None else DeviceData.of(*first.validation),
            first.batch_size,
            validation_batch(first),
            first.jit_compile,
        )

    def epoch(self, live: Sequence[int], epoch: int) -> list[Logs]:
        """Train and validate some networks for one epoch, counted from 0, and return their logs as Keras names them."""
        orders = [epoch_order(self.fits[member].seed, epoch, len(self.fits[member].x)) for member in live]
        logs = self._steps.train(live, orders)
        if self.fits[0].validation is None:
            return logs
        return [
            {**trained, **{f"val_{name}": value for name, value in validated.items()}}
            for trained, validated in zip(logs, self._steps.evaluate(live), strict=True)
        ]


class _Run:
    """The callbacks of one network."""

    def __init__(self, fit: Fit, network: keras.Model) -> None:
        self.fit = fit
        self.network = network
        self.history = keras.callbacks.History()
        self.logs: Logs = {}
        own = [callback for callback in fit.callbacks if not isinstance(callback, EpochProgress)]
        last = fit.first_epoch + fit.max_epochs
        self.callbacks = keras.callbacks.CallbackList([*own, self.history], model=network, epochs=last)
        network.stop_training = False
        self.callbacks.on_train_begin()
        self.callbacks.on_epoch_begin(fit.first_epoch)

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """End an epoch; begin the next one, or end the training of a network that has stopped."""
        self.logs = dict(logs)
        number = self.fit.first_epoch + epoch
        self.callbacks.on_epoch_end(number, self.logs)
        if self.network.stop_training:
            self.end()
        elif epoch + 1 < self.fit.max_epochs:
            self.callbacks.on_epoch_begin(number + 1)

    def end(self) -> None:
        """End the training; early stopping then puts back the best weights."""
        self.network.optimizer.finalize_variable_values(self.network.trainable_weights)
        self.callbacks.on_train_end(self.logs)


def _built(fit: Fit, plan: Plan) -> keras.Model:
    """Return the compiled network of a fit with every variable of its optimiser, loss and metrics in place."""
    network = compiled(fit, plan.lowering)
    network.optimizer.build(network.trainable_variables)
    x, y = DeviceData.of(fit.x[:1], np.asarray(fit.y)[:1]).batch(np.zeros(1, np.int32))
    outputs = network(x, training=False)
    network.compute_loss(x, y, outputs)
    network.compute_metrics(x, y, outputs)
    network.reset_metrics()
    return network


def _wants_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback overrides a method that Keras calls for every training batch."""
    return any(getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook) for hook in BATCH_HOOKS)
