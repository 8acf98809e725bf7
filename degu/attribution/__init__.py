"""Attribution: which letters of a sequence a prediction, or its uncertainty, comes from.

A map `(N, L, 4)` has a number for every letter of every position, in the order A, C, G, T.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Consistency": "degu.attribution.agreement",
    "MapsWriter": "degu.attribution.export",
    "Output": "degu.attribution.outputs",
    "References": "degu.attribution.references",
    "consistency": "degu.attribution.agreement",
    "consistency_table": "degu.attribution.agreement",
    "dinucleotide_references": "degu.attribution.references",
    "ensemble_output": "degu.attribution.outputs",
    "expected_gradients": "degu.attribution.methods",
    "gradient_correction": "degu.attribution.maps",
    "gradient_x_input": "degu.attribution.methods",
    "integrated_gradients": "degu.attribution.methods",
    "logo_figure": "degu.attribution.logos",
    "means_of_others": "degu.attribution.agreement",
    "mutagenesis": "degu.attribution.substitutions",
    "network_output": "degu.attribution.outputs",
    "of_sequence": "degu.attribution.maps",
    "saliency": "degu.attribution.methods",
    "student_output": "degu.attribution.outputs",
    "write_contributions": "degu.attribution.export",
    "write_maps": "degu.attribution.export",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.attribution' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
