"""The standard recipe: Adam, early stopping on the validation loss, learning rate reduced on plateaus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
from numpy.typing import ArrayLike

from degu.train.callbacks import stopping_and_schedule
from degu.train.fit import monitored
from degu.train.fits import Fit, Fits, drawn, in_fits


@in_fits
def train_standard_fun(
    model: keras.Model,
    x_train: ArrayLike,
    y_train: ArrayLike,
    validation_data: Sequence[ArrayLike] | None = None,
    loss: str | keras.losses.Loss = "mse",
    max_epochs: int = 100,
    batch_size: int = 100,
    initial_lr: float = 0.001,
    es_patience: int = 10,
    lr_decay: float = 0.1,
    lr_patience: int = 5,
    *,
    min_lr: float = 1e-7,
    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.Adam,
    metrics: Sequence[str | keras.metrics.Metric] = (),
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    initial_epoch: int = 0,
    steps_per_execution: int = 1,
    jit_compile: bool = False,
) -> Fits:
    """Fit a model and leave the best epoch's weights in it.

    Args:
        model: Uncompiled or compiled model; it is compiled anew and trained in place.
        x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        y_train: Targets `(N, K)`.
        validation_data: `(x, y)` in the same forms. Without it, early stopping and schedule watch the training loss.
        loss: A Keras loss or its name.
        max_epochs: Upper limit of epochs.
        batch_size: Sequences a step.
        initial_lr: Learning rate at the start.
        es_patience: Epochs without improvement before training stops.
        lr_decay: Factor on the learning rate at a plateau.
        lr_patience: Epochs without improvement before that.
        min_lr: Lowest learning rate.
        optimizer: Called with `learning_rate=initial_lr`; `keras.optimizers.AdamW`, for example.
        metrics: Keras metrics to log beside the loss.
        sample_weight: `(N,)` weights of training sequences.
        seed: Seed of the data order; None draws one from Python's global random state, which
            `keras.utils.set_random_seed` sets.
        callbacks: Further Keras callbacks; they see every epoch.
        initial_epoch: Number of the first epoch, for a later stage of one training.
        steps_per_execution: Training steps a launch.
        jit_compile: Compile the step with XLA.

    Returns:
        The Keras history: `loss`, `val_loss` and `learning_rate` of every epoch.

    Raises:
        ValueError: When the data do not fit the model.
    """
    monitor = monitored(validation_data)
    return (
        yield Fit(
            model=model,
            x=x_train,
            y=y_train,
            validation=validation_data,
            optimizer=optimizer(learning_rate=initial_lr),
            loss=loss,
            metrics=metrics,
            batch_size=batch_size,
            first_epoch=initial_epoch,
            max_epochs=max_epochs,
            sample_weight=sample_weight,
            seed=drawn(seed),
            callbacks=[*stopping_and_schedule(monitor, es_patience, lr_decay, lr_patience, min_lr), *callbacks],
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
    )
