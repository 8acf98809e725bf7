"""Random changes of one-hot DNA during training, as Keras layers.

A layer is imported on first use, so importing this package imports neither Keras nor TensorFlow. An
augmentation of your own needs no entry here: subclass `Augmentation` in a file of its own and name that file
in the config's `_target_`.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Augmentation": "base",
    "EvoAugAdapter": "evoaug",
    "RandomDeletion": "deletion",
    "RandomInsertion": "insertion",
    "RandomMutation": "mutation",
    "RandomNoise": "noise",
    "RandomReverseComplement": "reverse_complement",
    "RandomShuffle": "shuffle",
    "RandomSubset": "subset",
    "RandomTranslocation": "translocation",
    "RandomTranslocationBatch": "translocation",
    "RowAugmentation": "base",
    "Rows": "rows",
    "SeedStream": "seeds",
    "as_augmentation": "evoaug",
    "rewrite": "rewriting",
}

__all__ = sorted([*_PUBLIC, "register"])


def register() -> None:
    """Make every layer of this package known to Keras, which a model file that holds one needs to load."""
    for module in set(_PUBLIC.values()):
        importlib.import_module(f"{__name__}.{module}")


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
