"""Variant effects: how much a change of a sequence changes its predicted activity, and how sure that is."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Effects": "degu.variants.effects",
    "Genome": "degu.variants.sources",
    "Scorer": "degu.variants.scoring",
    "Spelled": "degu.variants.sources",
    "Summary": "degu.variants.files",
    "Variant": "degu.variants.variant",
    "VariantTable": "degu.variants.reading",
    "VcfFile": "degu.variants.reading",
    "both_strands": "degu.variants.effects",
    "effect_columns": "degu.variants.files",
    "paired_effects": "degu.variants.effects",
    "range_limit": "degu.variants.effects",
    "score_variants": "degu.variants.files",
    "windows": "degu.variants.placement",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.variants' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
