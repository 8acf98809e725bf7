"""The one-cycle recipe: AdamW, a learning rate that rises once and falls once, the best epoch's weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from degu.errors import ConfigError
from degu.train.callbacks import LearningRateLog
from degu.train.fit import monitored
from degu.train.fits import Fit, Fits, drawn, in_fits


@keras.saving.register_keras_serializable(package="degu")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises from `max_lr / start_divisor` to `max_lr` and falls to `start / end_divisor`.

    Both parts are half cosines.

    Args:
        max_lr: Highest learning rate.
        total_steps: Steps of the whole cycle, at least 2.
        warmup: Fraction of the steps on the way up, in (0, 1).
        start_divisor: `max_lr` over the first learning rate.
        end_divisor: First learning rate over the last.

    Raises:
        ConfigError: When an argument is outside its range.

    References:
        Smith, Topin (2018), "Super-convergence: very fast training of neural networks using large learning rates",
        arXiv:1708.07120.
    """

    def __init__(
        self,
        max_lr: float,
        total_steps: int,
        warmup: float = 0.3,
        start_divisor: float = 25.0,
        end_divisor: float = 1e4,
    ) -> None:
        if not max_lr > 0 or total_steps < 2 or not 0 < warmup < 1 or start_divisor < 1 or end_divisor < 1:
            raise ConfigError(
                "OneCycle: expected max_lr > 0, total_steps >= 2, warmup in (0, 1) and divisors >= 1. Received: "
                f"{max_lr=}, {total_steps=}, {warmup=}, {start_divisor=}, {end_divisor=}"
            )
        self.max_lr = max_lr
        self.total_steps = total_steps
        self.warmup = warmup
        self.start_divisor = start_divisor
        self.end_divisor = end_divisor

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step, counted from 0."""
        start = self.max_lr / self.start_divisor
        end = start / self.end_divisor
        last = self.total_steps - 1
        top = max(self.warmup * last, 1e-9)
        step = ops.minimum(ops.cast(step, "float32"), last)
        rising = _half_cosine(start, self.max_lr, ops.minimum(step / top, 1.0))
        falling = _half_cosine(self.max_lr, end, ops.maximum((step - top) / (last - top), 0.0))
        return ops.where(step < top, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "max_lr": self.max_lr,
            "total_steps": self.total_steps,
            "warmup": self.warmup,
            "start_divisor": self.start_divisor,
            "end_divisor": self.end_divisor,
        }


def _half_cosine(start: float, end: float, share: Any) -> Any:
    return end + (start - end) / 2 * (1 + ops.cos(math.pi * share))


@in_fits
def train_one_cycle_fun(
    model: keras.Model,
    x_train: ArrayLike,
    y_train: ArrayLike,
    validation_data: Sequence[ArrayLike] | None = None,
    loss: str | keras.losses.Loss = "mse",
    max_epochs: int = 80,
    batch_size: int = 1024,
    max_lr: float = 0.005,
    *,
    warmup: float = 0.3,
    weight_decay: float = 0.01,
    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.AdamW,
    metrics: Sequence[str | keras.metrics.Metric] = (),
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    initial_epoch: int = 0,
    steps_per_execution: int = 1,
    jit_compile: bool = False,
) -> Fits:
    """Fit a model for a fixed number of epochs under one cycle and leave the best epoch's weights in it.

    Args:
        model: Trained in place.
        x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        y_train: Targets `(N, K)`.
        validation_data: `(x, y)` in the same forms. Without it the training loss decides which epoch is best.
        loss: A Keras loss or its name.
        max_epochs: Epochs of the cycle; all are run.
        batch_size: Sequences a step.
        max_lr: Highest learning rate.
        warmup: Fraction of the steps on the way up.
        weight_decay: Decoupled weight decay.
        optimizer: Called with `learning_rate=<schedule>, weight_decay=...`.
        metrics: Keras metrics to log beside the loss.
        sample_weight: `(N,)` weights of training sequences.
        seed: Seed of the data order.
        callbacks: Further Keras callbacks; they see every epoch.
        initial_epoch: Number of the first epoch, for a later stage of one training.
        steps_per_execution: Training steps a launch.
        jit_compile: Compile the step with XLA.

    Returns:
        The Keras history: `loss`, `val_loss` and `learning_rate` (at the end) of every epoch.

    References:
        The recipe of DREAM-RNN as used by Zhou et al. (2026), doi:10.1038/s44387-025-00053-3.
    """
    best = keras.callbacks.EarlyStopping(
        monitor=monitored(validation_data), mode="min", patience=max_epochs, restore_best_weights=True
    )
    steps = max_epochs * math.ceil(np.shape(x_train)[0] / batch_size)
    return (
        yield Fit(
            model=model,
            x=x_train,
            y=y_train,
            validation=validation_data,
            optimizer=optimizer(learning_rate=OneCycle(max_lr, steps, warmup), weight_decay=weight_decay),
            loss=loss,
            metrics=metrics,
            batch_size=batch_size,
            first_epoch=initial_epoch,
            max_epochs=max_epochs,
            sample_weight=sample_weight,
            seed=drawn(seed),
            callbacks=[best, LearningRateLog(), *callbacks],
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
    )
