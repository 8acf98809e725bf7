"""Training with augmentation in two stages: augmented sequences first, then the measured ones alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from degu.augment import RandomSubset
from degu.augment.sampling import NUM_BASES
from degu.augment.subset import Per
from degu.errors import ConfigError
from degu.seeds import derive_seed
from degu.train.fits import Fits, drawn, in_fits
from degu.train.standard import train_standard_fun


@in_fits
def train_dynamic_aug_fun(
    model: keras.Model,
    x_train: ArrayLike,
    y_train: ArrayLike,
    validation_data: Sequence[ArrayLike] | None = None,
    augment_list: Sequence[Any] = (),
    loss: str | keras.losses.Loss = "mse",
    max_epochs: int = 100,
    batch_size: int = 100,
    initial_lr: float = 0.001,
    es_patience: int = 10,
    lr_decay: float = 0.1,
    lr_patience: int = 5,
    *,
    max_augs_per_seq: int = 2,
    hard_aug: bool = True,
    per: Per = "sequence",
    finetune_epochs: int = 30,
    finetune_lr: float = 1e-4,
    finetune_es_patience: int = 5,
    finetune_lr_patience: int = 3,
    min_lr: float = 1e-7,
    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.Adam,
    metrics: Sequence[str | keras.metrics.Metric] = (),
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    steps_per_execution: int = 1,
    jit_compile: bool = False,
) -> Fits:
    """Fit a model on augmented sequences, then fine-tune it on the sequences as they are.

    The first stage trains the model behind a layer that changes sequences in training only. The second compiles the
    model itself, so nothing of the first stage is left in its graph: a new optimiser with a learning rate of its own,
    and no augmentation.

    Args:
        model: Trained in place.
        x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        y_train: Targets `(N, K)`.
        validation_data: `(x, y)`, never augmented. Without it both stages watch the training loss.
        augment_list: Augmentations of `degu.augment` or objects of `evoaug_tf.augment`.
        loss: A Keras loss or its name, for both stages.
        max_epochs: Upper limit of epochs of the first stage.
        batch_size: Sequences a step.
        initial_lr: Learning rate of the first stage.
        es_patience: Epochs without improvement before the first stage stops.
        lr_decay: Factor on the learning rate at a plateau, in both stages.
        lr_patience: Epochs without improvement before that, in the first stage.
        max_augs_per_seq: Largest number of augmentations on one sequence.
        hard_aug: True for exactly that number, False for a random number up to it.
        per: `"sequence"` or `"batch"`: what draws its own choice of augmentations.
        finetune_epochs: Upper limit of epochs of the second stage; 0 leaves it out.
        finetune_lr: Learning rate of the second stage.
        finetune_es_patience: As `es_patience`, in the second stage.
        finetune_lr_patience: As `lr_patience`, in the second stage.
        min_lr: Lowest learning rate.
        optimizer: Called with `learning_rate=...` at the start of each stage.
        metrics: Keras metrics to log beside the loss.
        sample_weight: `(N,)` weights of training sequences.
        seed: Seed of data order and augmentation.
        callbacks: Further Keras callbacks; they see every epoch of both stages.
        steps_per_execution: Training steps a launch.
        jit_compile: Compile the step with XLA.

    Returns:
        One Keras history of both stages; its `stage` is 1 or 2 for every epoch.

    Raises:
        ConfigError: When an augmentation cannot be used or would lengthen the sequences.

    References:
        Lee, Tang, Toneyan, Koo (2023), "EvoAug: improving generalization and interpretability of genomic deep neural
        networks with evolution-inspired data augmentations", doi:10.1186/s13059-023-02941-w.
    """
    seed = drawn(seed)
    augmented = augmented_model(
        model,
        RandomSubset(augment_list, max_augs_per_seq, hard_aug, per, seed=derive_seed(seed, "augment")),
        length=np.shape(x_train)[1],
    )
    shared: dict[str, Any] = {
        "loss": loss,
        "batch_size": batch_size,
        "lr_decay": lr_decay,
        "min_lr": min_lr,
        "optimizer": optimizer,
        "metrics": metrics,
        "sample_weight": sample_weight,
        "callbacks": callbacks,
        "steps_per_execution": steps_per_execution,
        "jit_compile": jit_compile,
    }
    first = yield from train_standard_fun.fits(
        augmented,
        x_train,
        y_train,
        validation_data,
        max_epochs=max_epochs,
        initial_lr=initial_lr,
        es_patience=es_patience,
        lr_patience=lr_patience,
        seed=seed,
        **shared,
    )
    if finetune_epochs == 0:
        return joined([first])
    second = yield from train_standard_fun.fits(
        model,
        x_train,
        y_train,
        validation_data,
        max_epochs=finetune_epochs,
        initial_lr=finetune_lr,
        es_patience=finetune_es_patience,
        lr_patience=finetune_lr_patience,
        seed=derive_seed(seed, "finetune"),
        initial_epoch=len(first.epoch),
        **shared,
    )
    return joined([first, second])


def augmented_model(model: keras.Model, augmentation: RandomSubset, length: int) -> keras.Model:
    """Put an augmentation in front of a model; both share the model's weights.

    Args:
        model: Any model from sequences `(B, length, 4)`, built or not.
        augmentation: What changes the sequences in training.
        length: Bases of every sequence.

    Raises:
        ConfigError: When the augmentation lengthens sequences, which the model would then not fit at prediction.
    """
    if augmentation.added_length:
        raise ConfigError(
            f"Expected augmentations that keep the length. Received: an augment_list that adds "
            f"{augmentation.added_length} bases. Use degu.augment.RandomInsertion (keep_length=True), or make the "
            "lengthening insertion the first layer of the model, where it pads at prediction too"
        )
    inputs = keras.Input((length, NUM_BASES))
    return keras.Model(inputs, model(augmentation(inputs)), name=f"augmented_{model.name}")


def joined(stages: Sequence[keras.callbacks.History]) -> keras.callbacks.History:
    """Return one history of consecutive stages, with the number of the stage beside every epoch.

    What only some of the stages logged is NaN in the others.
    """
    history = keras.callbacks.History()
    history.epoch = [epoch for stage in stages for epoch in stage.epoch]
    names = dict.fromkeys(name for stage in stages for name in stage.history)
    history.history = {
        name: [value for stage in stages for value in stage.history.get(name, [math.nan] * len(stage.epoch))]
        for name in names
    }
    history.history["stage"] = [number for number, stage in enumerate(stages, start=1) for _ in stage.epoch]
    return history
