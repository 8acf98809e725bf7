"""Objects of `evoaug_tf.augment` as augmentations of this package.

Nothing here imports evoaug_tf: its objects are known by the module of their class.
"""

from __future__ import annotations

import copy
import importlib
import logging
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from degu.augment.base import Augmentation
from degu.augment.mutation import CHANGED_SHARE
from degu.augment.seeds import SeedStream
from degu.augment.translocation import RandomTranslocation, RandomTranslocationBatch
from degu.errors import ConfigError

_MODULE = "evoaug_tf.augment"
_ROLLS = {"RandomTranslocation": RandomTranslocation, "RandomTranslocationBatch": RandomTranslocationBatch}

logger = logging.getLogger(__name__)


@keras.saving.register_keras_serializable(package="degu")
class EvoAugAdapter(Augmentation):
    """An object of `evoaug_tf.augment` as a layer, its own code unchanged.

    It acts in training only. Its insertions give L + insert_max bases, so inference adds as many N. Its draws
    come from TensorFlow's global generator, which `keras.utils.set_random_seed` sets: a seed given to
    `augment` or to a surrounding `RandomSubset` does not reach them.

    Args:
        augmentation: Object of a class of `evoaug_tf.augment`, version 1.0.3.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: If the object is of another kind, its arguments cannot work, or Keras does not run on
            TensorFlow.
    """

    def __init__(self, augmentation: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _require_sound(augmentation)
        if keras.backend.backend() != "tensorflow":
            raise ConfigError(
                f"{_describe(augmentation)}: expected the TensorFlow backend, the only one that evoaug_tf "
                f"works on, received {keras.backend.backend()!r}. Use the augmentations of degu.augment"
            )
        # A copy is traced anew; the object itself would keep the random stream of its first use.
        self.augmentation = copy.copy(augmentation)

    @property
    def added_length(self) -> int:
        """Bases by which the output is longer than the input."""
        return int(getattr(self.augmentation, "insert_max", 0))

    @property
    def has_own_stream(self) -> bool:
        """False: the objects of evoaug_tf draw from TensorFlow's global generator."""
        return False

    @property
    def minimum_length(self) -> int:
        """Shortest sequence, in bases, that can be augmented."""
        return max(1, int(getattr(self.augmentation, "delete_max", 0)))

    def transform(self, x: keras.KerasTensor, seed: SeedStream) -> keras.KerasTensor:
        """Hand sequences (B, L, 4) to the object; `seed` cannot reach it."""
        changed = ops.cast(self.augmentation(ops.cast(x, "float32")), x.dtype)
        # Its loops lose the static shape.
        return ops.reshape(changed, (-1, x.shape[1] + self.added_length, x.shape[2]))

    def get_config(self) -> dict[str, Any]:
        """Return the class and the arguments of the object."""
        config = super().get_config()
        del config["seed"]
        arguments = {name: _number(value) for name, value in vars(self.augmentation).items()}
        return {**config, "augmentation": {"class": type(self.augmentation).__name__, "arguments": arguments}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> EvoAugAdapter:
        """Build the object from its class and arguments, looked up in `evoaug_tf.augment` alone."""
        stored = config["augmentation"]
        evoaug_class = getattr(importlib.import_module(_MODULE), stored["class"], None)
        if not isinstance(evoaug_class, type):
            raise ConfigError(f"{_MODULE}: expected the name of a class, found no class {stored['class']!r}")
        return cls(**{**config, "augmentation": evoaug_class(**stored["arguments"])})


def as_augmentation(augmentation: Any) -> Augmentation:
    """Return an augmentation of this package for an object of this package or of evoaug_tf.

    Args:
        augmentation: An `Augmentation`, returned as it is, or an object of a class of `evoaug_tf.augment`,
            wrapped in an `EvoAugAdapter`. A translocation of evoaug_tf whose shift_min is not 0, which it
            would ignore, or whose shift_max is 0, on which it fails, is replaced by the layer of the same
            name, and a warning is logged.

    Returns:
        The augmentation.

    Raises:
        ConfigError: If the object is of another kind or cannot work.
    """
    if isinstance(augmentation, Augmentation):
        return augmentation
    layer = _ROLLS.get(type(augmentation).__name__) if _is_evoaug(augmentation) else None
    if layer and (augmentation.shift_min != 0 or augmentation.shift_max == 0):
        logger.warning(
            "%s ignores shift_min and fails at shift_max=0; degu.augment.%s takes its place",
            _describe(augmentation),
            layer.__name__,
        )
        return layer(shift_min=augmentation.shift_min, shift_max=augmentation.shift_max)
    return EvoAugAdapter(augmentation)


def _is_evoaug(augmentation: Any) -> bool:
    return type(augmentation).__module__ == _MODULE and callable(augmentation)


def _require_sound(augmentation: Any) -> None:
    if not _is_evoaug(augmentation):
        raise ConfigError(
            "expected a degu.augment.Augmentation or an object of evoaug_tf.augment, received "
            f"{augmentation!r}. To write an augmentation of your own, subclass degu.augment.Augmentation"
        )
    if type(augmentation).__name__ == "RandomDeletionBatch":
        raise ConfigError(
            f"{_describe(augmentation)} fails on every batch: it joins its pieces along the batch axis. "
            "Use degu.augment.RandomDeletion, which draws a deletion for each sequence"
        )
    if getattr(augmentation, "mutate_frac", 0.0) > CHANGED_SHARE:
        raise ConfigError(
            f"{_describe(augmentation)}: expected mutate_frac in [0, {CHANGED_SHARE}], received "
            f"{augmentation.mutate_frac}; at {CHANGED_SHARE} every position is redrawn"
        )


def _describe(augmentation: Any) -> str:
    return f"{_MODULE}.{type(augmentation).__name__}"


def _number(value: Any) -> float:
    """Return a plain number; evoaug_tf keeps some arguments as scalar tensors."""
    return value if isinstance(value, int | float) else float(ops.convert_to_numpy(value))
