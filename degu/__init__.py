"""Ensembles of sequence-to-activity models and the student that replaces them.

Importing `degu` imports neither Keras nor TensorFlow: names are resolved on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "EnsemblerBase": "degu.ensemble",
    "EnsemblerMixed": "degu.ensemble",
    "EnsemblerDynamic": "degu.ensemble",
    "Distiller": "degu.distill",
}
_MODULES = ("augment", "data", "losses", "metrics", "models", "train", "uncertainty", "utils")

__all__ = ["__version__", *_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"degu.{name}")
    raise AttributeError(f"module 'degu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
