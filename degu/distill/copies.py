"""Distillation on more sequences than were measured: changed copies that the ensemble labels once.

Members have fitted the training sequences, noise included, and agree on them more than on new ones. A student that sees
nothing else learns a mean that is little better than the measurements, and the disagreement on fitted sequences.
Changed copies have no measurement and need none: the ensemble labels them, once, before training. In dynamic
distillation (`Distiller.distill_student_dynamic`) it labels every batch anew, which costs a prediction of all members
in every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.augment import RandomSubset, rewrite
from degu.augment.subset import Per
from degu.data.row_files import TokenFile
from degu.ensemble.fresh import Builder
from degu.errors import ConfigError, EnsembleError
from degu.seeds import derive_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from degu.distill.distiller import Distiller


def distill_with_copies(
    distiller: Distiller,
    x_train: ArrayLike,
    y_train: ArrayLike,
    model: keras.Model | Builder,
    train_fun: Callable[..., Any],
    validation_data: Sequence[ArrayLike] | None = None,
    save_prefix: str | Path = "student",
    batch_size: int = 512,
    *,
    augment_list: Sequence[Any],
    num_copies: int = 1,
    max_augs_per_seq: int = 2,
    hard_aug: bool = False,
    per: Per = "sequence",
    seed: int = 0,
    **arguments: Any,
) -> tuple[str, Any]:
    """Train a student on the training sequences and on changed copies of them, all labelled by the ensemble.

    Args:
        distiller: The ensemble's distiller.
        x_train: Tokens `(N, L)` uint8, in memory.
        y_train: Measurements `(N, K)`; they count with the distiller's `alpha`.
        model: The student, as for `Distiller.distill_student`.
        train_fun: A recipe such as `degu.train.train_standard_fun`.
        validation_data: `(x, y)` for early stopping, never changed.
        save_prefix: Weights go to `<save_prefix>.weights.h5`.
        batch_size: Sequences a batch when the teachers predict.
        augment_list: Augmentations of `degu.augment` that give DNA of the same length, such as
            `[RandomMutation(0.05), RandomDeletion(0, 20)]`.
        num_copies: Changed copies of every training sequence, at least 1. An epoch is longer by that factor; fewer are
            needed.
        max_augs_per_seq: Largest number of augmentations on one copy.
        hard_aug: True for exactly that number, False for a random number up to it.
        per: `"sequence"` or `"batch"`: what draws its own choice of augmentations.
        seed: Seed of the student and, independent of it, of the changes.
        **arguments: Further arguments of `Distiller.distill_student`, and of `train_fun`.

    Returns:
        The weight file and what `train_fun` returned.

    Raises:
        ConfigError: When the copies cannot be made.
        EnsembleError: When the student's outputs do not fit, or the weight file exists.

    References:
        Lee et al. (2023), EvoAug, doi:10.1186/s13059-023-02941-w (the changes). Zhou et al. (2026),
        doi:10.1038/s44387-025-00053-3 (labels of augmented sequences by the ensemble, in their form at each step).
    """
    if num_copies < 1:
        raise ConfigError(f"Expected num_copies of at least 1. Received: {num_copies}. Use distill=static for none")
    augmentation = RandomSubset(augment_list, max_augs_per_seq, hard_aug, per, seed=derive_seed(seed, "copies"))
    return distiller.distill_student(
        x_train,
        y_train,
        model,
        train_fun,
        validation_data,
        save_prefix,
        batch_size,
        unlabelled=changed_copies(x_train, augmentation, num_copies, derive_seed(seed, "copies")),
        seed=seed,
        **arguments,
    )


def changed_copies(x: ArrayLike, augmentation: RandomSubset, num_copies: int, seed: int) -> NDArray[np.uint8]:
    """Return changed copies of sequences.

    Args:
        x: Tokens `(N, L)` uint8.
        augmentation: What changes them.
        num_copies: Copies of every sequence.
        seed: Seed of the changes.

    Returns:
        Tokens `(num_copies N, L)`.

    Raises:
        ConfigError: When `x` are no tokens in memory, or the changes are not to DNA of the same length.
    """
    tokens = _tokens(x)
    return np.concatenate(
        [rewrite(tokens, augmentation, derive_seed(seed, str(number))) for number in range(num_copies)]
    )


def with_unlabelled(x: ArrayLike | TokenFile, unlabelled: ArrayLike) -> NDArray:
    """Return training sequences followed by unlabelled ones.

    Raises:
        ConfigError: When the training sequences are not in memory.
        EnsembleError: When the two have different forms.
    """
    if isinstance(x, TokenFile):
        raise ConfigError(f"Expected training sequences in memory beside unlabelled ones. Received: {x!r}")
    x, unlabelled = np.asarray(x), np.asarray(unlabelled)
    if x.shape[1:] != unlabelled.shape[1:]:
        raise EnsembleError(
            f"Expected unlabelled sequences of the form of x_train, {x.shape[1:]}. Received: {unlabelled.shape[1:]}"
        )
    return np.concatenate([x, unlabelled])


def _tokens(x: ArrayLike | TokenFile) -> NDArray[np.uint8]:
    if isinstance(x, TokenFile) or np.asarray(x).ndim != 2:
        raise ConfigError("Expected tokens (N, L) in memory to make changed copies of. Received: another form")
    return np.asarray(x)
