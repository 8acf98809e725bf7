"""Fitting several networks side by side, with the callbacks, logs and histories that Keras would give each of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import keras
import numpy as np

from degu.errors import EnsembleError, TrainingError
from degu.progress import Progress
from degu.stacked.device import DeviceData
from degu.stacked.steps import Logs, Plan
from degu.train.batches import epoch_order
from degu.train.callbacks import EpochProgress
from degu.train.checkpoint import Restored, draws_from_global_stream
from degu.train.failure import Watch, memory_named
from degu.train.fit import compiled, taken_up, validation_batch
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
    if not getattr(first.model, "can_be_stacked", True):
        return "its targets are computed in the training step"
    if not isinstance(first.x, np.ndarray):
        return "the training data are not an array in memory"
    if draws_from_global_stream(first.model):
        return "evoaug_tf objects draw from one random stream for all members"
    hooked = [callback for fit in fits for callback in fit.callbacks if _wants_batches(callback)]
    if hooked:
        return f"{type(hooked[0]).__name__} is called after every batch"
    return None


Failed = Callable[[int, TrainingError], None]


def fit_together(
    fits: Sequence[Fit], name: str = "members", failed: Failed | None = None
) -> list[keras.callbacks.History | TrainingError]:
    """Fit networks of one architecture side by side.

    Every network has its own data order, random streams, learning rate and callbacks, early stopping included, and
    ends with the weights that it would have if it were fitted alone, up to rounding. One that stops early leaves the
    computation.

    Args:
        fits: One for each network; see `why_not` for what they must share.
        name: Shown in the progress bar.
        failed: Called with the place of a network whose training fails and the error, at once; the others go on
            unless it raises. None raises the error.

    Returns:
        Their Keras histories, in order, and the errors of those that failed.

    Raises:
        EnsembleError: When the fits cannot be run side by side.
        ConfigError: When a loss does not fit a network's head.
        TrainingError: When a training fails and `failed` is None, or a batch does not fit into memory.
    """
    stack = Stack(fits)
    runs = [_Run(fit, network) for fit, network in zip(fits, stack.networks, strict=True)]
    before = max(fit.first_epoch for fit in fits)
    with Progress(name, before + fits[0].max_epochs, "epoch") as progress:
        while live := [member for member, run in enumerate(runs) if not run.has_ended]:
            # Networks that an interruption has left behind the others catch up first.
            epoch = min(runs[member].epoch for member in live)
            turn = [member for member in live if runs[member].epoch == epoch]
            with memory_named([fits[member] for member in turn]):
                all_logs = stack.epoch(turn, epoch)
            for member, logs in zip(turn, all_logs, strict=True):
                error = runs[member].end_epoch(logs)
                if error is not None and failed is None:
                    raise error
                if error is not None and failed is not None:
                    failed(member, error)
            left = sum(not run.has_ended for run in runs)
            progress.reach(before + epoch + 1, f"{left} in training")
    return [run.error or run.history for run in runs]


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
        self.epoch = 0
        self.has_ended = False
        self.error: TrainingError | None = None
        self.watch = Watch(fit, network)
        restored = taken_up(fit, network)
        own = [callback for callback in fit.callbacks if not isinstance(callback, EpochProgress)]
        last = fit.first_epoch + fit.max_epochs
        self.callbacks = keras.callbacks.CallbackList([*own, self.history], model=network, epochs=last)
        network.stop_training = False
        self.callbacks.on_train_begin()
        if restored is not None:
            self._take_up(restored)
        self._go_on()

    def end_epoch(self, logs: Logs) -> TrainingError | None:
        """End an epoch; begin the next one, or end the training of a network that has stopped or fails."""
        self.logs = dict(logs)
        try:
            self.watch.check(self.epoch, logs)
        except TrainingError as error:
            self.has_ended, self.error = True, error
            return error
        self.callbacks.on_epoch_end(self.fit.first_epoch + self.epoch, self.logs)
        self.epoch += 1
        if self.fit.stage is not None:
            self.fit.stage.keep(self.network, self.fit.callbacks, self.history)
        self._go_on()
        return None

    def _take_up(self, restored: Restored) -> None:
        """Go on where an earlier process was interrupted."""
        restored.into(self.fit.callbacks)
        self.history.epoch, self.history.history = restored.history.epoch, restored.history.history
        self.logs = {name: values[-1] for name, values in self.history.history.items()}
        self.epoch = len(self.history.epoch)
        self.network.stop_training = restored.stopped

    def _go_on(self) -> None:
        if self.network.stop_training or self.epoch == self.fit.max_epochs:
            self._end()
        else:
            self.watch.begin()
            self.callbacks.on_epoch_begin(self.fit.first_epoch + self.epoch)

    def _end(self) -> None:
        """End the training; early stopping then puts back the best weights."""
        self.has_ended = True
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
