"""The one call to Keras that every recipe ends in."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

import keras
from numpy.typing import ArrayLike

from degu.errors import ConfigError
from degu.models.head_layers import EvidentialHead, GaussianHead
from degu.models.heads import head_layer
from degu.train.batches import Batches

log = logging.getLogger(__name__)

VALIDATION_BATCH = 512


def monitored(validation_data: Sequence[ArrayLike] | None) -> str:
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


def fit(
    model: keras.Model,
    x_train: ArrayLike,
    y_train: ArrayLike,
    validation_data: Sequence[ArrayLike] | None,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: str | keras.losses.Loss,
    metrics: Sequence[str | keras.metrics.Metric],
    batch_size: int,
    first_epoch: int,
    max_epochs: int,
    sample_weight: ArrayLike | None,
    seed: int | None,
    callbacks: Sequence[keras.callbacks.Callback],
    steps_per_execution: int,
    jit_compile: bool,
) -> keras.callbacks.History:
    """Compile and fit a model.

    Args:
        model: Trained in place.
        x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        y_train: Targets `(N, K)`.
        validation_data: `(x, y)` in the same forms, or None.
        optimizer: A new optimiser.
        loss: A Keras loss or its name.
        metrics: Keras metrics to log beside the loss.
        batch_size: Sequences a step.
        first_epoch: Number of the first epoch, counted from 0.
        max_epochs: Upper limit of epochs from there.
        sample_weight: `(N,)` weights of training sequences, or None.
        seed: Seed of the data order; None draws one from Python's global random state, which
            `keras.utils.set_random_seed` sets.
        callbacks: Keras callbacks, in order.
        steps_per_execution: Training steps a launch.
        jit_compile: Compile the step with XLA.

    Returns:
        The Keras history.

    Raises:
        ConfigError: When the loss does not fit the network's head.
    """
    check_loss(model, loss)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=list(metrics),
        steps_per_execution=steps_per_execution,
        jit_compile=jit_compile,
    )
    valid = None
    if validation_data is not None:
        x_valid, y_valid = validation_data
        valid = Batches(x_valid, y_valid, batch_size=max(batch_size, VALIDATION_BATCH))
    return model.fit(
        Batches(x_train, y_train, batch_size, sample_weight, random.getrandbits(31) if seed is None else seed),
        initial_epoch=first_epoch,
        epochs=first_epoch + max_epochs,
        validation_data=valid,
        shuffle=False,
        callbacks=list(callbacks),
        verbose=0,
    )
