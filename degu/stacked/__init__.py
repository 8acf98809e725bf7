"""Several members of one architecture trained side by side on one device."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "fit_together": "degu.stacked.loop",
    "is_worth_it": "degu.stacked.choice",
    "train_together": "degu.stacked.together",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.stacked' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
