"""The one call to Keras that every recipe ends in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from degu.errors import ConfigError
from degu.fused import Lowering, training_form
from degu.models.head_layers import EvidentialHead, GaussianHead
from degu.models.heads import head_layer
from degu.train.batches import Batches, encode
from degu.train.checkpoint import Restored
from degu.train.failure import Watch, memory_named
from degu.train.fits import Fit

log = logging.getLogger(__name__)

VALIDATION_BATCH = 512


def monitored(validation_data: Sequence[Any] | None) -> str:
    """Return the logged value that decides which epoch is best; without validation data, say so and take the loss."""
    if validation_data is not None:
        return "val_loss"
    log.warning("No validation data: the best epoch and the learning rate follow the training loss.")
    return "loss"


def check_loss(model: keras.Model, loss: str | keras.losses.Loss) -> None:
    """Check that a loss can read the columns of a network that predicts a distribution.

    Raises:
        ConfigError: When the loss takes the spread for another unit, or is one of Keras' for plain values.
    """
    layer, unit = head_layer(model), getattr(loss, "unit", None)
    if isinstance(layer, GaussianHead) and unit not in (None, layer.unit):
        raise ConfigError(
            f"Expected a loss with unit {layer.unit!r}, in which the network's head gives the spread. Received: "
            f"{type(loss).__name__} with unit {unit!r}. Set loss.unit and model.head.unit to one value"
        )
    if isinstance(layer, GaussianHead | EvidentialHead) and _is_for_values(loss):
        raise ConfigError(
            f"Expected a loss that reads the columns of {type(layer).__name__}, such as degu.losses.GaussianNLL "
            f"for GaussianHead and EvidentialRegression for EvidentialHead. Received: {loss!r}"
        )


def _is_for_values(loss: str | keras.losses.Loss) -> bool:
    return isinstance(loss, str) or type(loss).__module__.startswith("keras.")


def fit(job: Fit) -> keras.callbacks.History:
    """Compile a model and fit it with Keras.

    Raises:
        ConfigError: When the loss does not fit the network's head.
        TrainingError: When the training loss is not finite any more, or a batch does not fit into memory.
    """
    network = compiled(job)
    restored = taken_up(job, network)
    batches = Batches(job.x, job.y, job.batch_size, job.sample_weight, job.seed)
    valid = None
    if job.validation is not None:
        x_valid, y_valid = job.validation
        valid = Batches(x_valid, y_valid, validation_batch(job))
    last = job.first_epoch + job.max_epochs
    done = 0 if restored is None else len(restored.history.epoch)
    watch = _Watching(job, network)
    with memory_named([job]):
        return network.fit(
            batches,
            initial_epoch=last if restored is not None and restored.stopped else job.first_epoch + done,
            epochs=last,
            validation_data=valid,
            shuffle=False,
            callbacks=[_Order(batches, job.first_epoch), watch, *job.callbacks, _Keeping(job, restored)],
            verbose=0,
        )


def taken_up(job: Fit, network: keras.Model) -> Restored | None:
    """Put the state that a fit was interrupted in into its compiled network, and return the rest of it, if any."""
    if job.stage is None:
        return None
    if not network.built:
        network(encode(np.asarray(job.x[:1])), training=False)
    return job.stage.restore(network)


class _Watching(keras.callbacks.Callback):
    """Ends a fit whose loss is not finite, before any other callback takes note of it."""

    def __init__(self, job: Fit, network: keras.Model) -> None:
        super().__init__()
        self.job = job
        self.watch = Watch(job, network)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember the state."""
        self.watch.begin()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the loss."""
        self.watch.check(epoch - self.job.first_epoch, logs)


class _Keeping(keras.callbacks.History):
    """The history of a fit, begun by an earlier process if one was interrupted in it; keeps the fit's state."""

    def __init__(self, job: Fit, restored: Restored | None) -> None:
        super().__init__()
        self.job = job
        self.restored = restored

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Take up the history and the counters of the other callbacks."""
        super().on_train_begin(logs)
        if self.restored is not None:
            self.restored.into(self.job.callbacks)
            self.epoch, self.history = self.restored.history.epoch, self.restored.history.history

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Note the epoch and keep the state."""
        super().on_epoch_end(epoch, logs)
        if self.job.stage is not None:
            self.job.stage.keep(self.model, self.job.callbacks, self)


class _Order(keras.callbacks.Callback):
    """Tells the batches which epoch it is: how often Keras itself rewinds them depends on its version and backend."""

    def __init__(self, batches: Batches, first_epoch: int) -> None:
        super().__init__()
        self.batches = batches
        self.first_epoch = first_epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Take the epoch's order."""
        self.batches.start_epoch(epoch - self.first_epoch)


def compiled(job: Fit, lowering: Lowering = "conv") -> keras.Model:
    """Return the network that a fit trains, compiled: the quick form of its model, which shares the model's weights.

    Raises:
        ConfigError: When the loss does not fit the network's head.
    """
    check_loss(job.model, job.loss)
    network = training_form(job.model, lowering)
    network.compile(
        optimizer=job.optimizer,
        loss=job.loss,
        metrics=list(job.metrics),
        steps_per_execution=job.steps_per_execution,
        jit_compile=job.jit_compile,
    )
    return network


def validation_batch(job: Fit) -> int:
    """Return how many sequences are validated at a time."""
    return max(job.batch_size, VALIDATION_BATCH)
