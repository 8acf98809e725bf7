"""The one call to Keras that every recipe ends in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import keras

from degu.errors import ConfigError
from degu.fused import Lowering, training_form
from degu.models.head_layers import EvidentialHead, GaussianHead
from degu.models.heads import head_layer
from degu.train.batches import Batches
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
    """
    network = compiled(job)
    batches = Batches(job.x, job.y, job.batch_size, job.sample_weight, job.seed)
    valid = None
    if job.validation is not None:
        x_valid, y_valid = job.validation
        valid = Batches(x_valid, y_valid, validation_batch(job))
    return network.fit(
        batches,
        initial_epoch=job.first_epoch,
        epochs=job.first_epoch + job.max_epochs,
        validation_data=valid,
        shuffle=False,
        callbacks=[_Order(batches, job.first_epoch), *job.callbacks],
        verbose=0,
    )


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
