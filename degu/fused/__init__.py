"""Equal, faster forms of Keras models: one for training, one for prediction."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Folding": "inference",
    "Lowering": "products",
    "TrainingForm": "training",
    "folded_weights": "inference",
    "inference_form": "inference",
    "training_form": "training",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
