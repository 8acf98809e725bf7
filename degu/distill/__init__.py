"""Distillation of an ensemble into one student network."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Distiller": "degu.distill.distiller",
    "StudentEvaluation": "degu.distill.distiller",
    "StudentColumns": "degu.distill.targets",
    "distill_with_copies": "degu.distill.copies",
    "export_student": "degu.distill.export",
    "student_targets": "degu.distill.targets",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.distill' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
