"""Training recipes: functions that fit one Keras model and return its history."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "train_standard_fun": "degu.train.standard",
    "train_dynamic_aug_fun": "degu.train.dynamic",
    "train_one_cycle_fun": "degu.train.one_cycle",
    "OneCycle": "degu.train.one_cycle",
    "Batches": "degu.train.batches",
    "Checkpoints": "degu.train.records",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.train' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
