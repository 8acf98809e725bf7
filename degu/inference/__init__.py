"""Predictions of new sequences: intervals that a study was calibrated for, columns of a table, files of any size."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "CALIBRATION": "degu.inference.calibration",
    "GAUSSIAN": "degu.inference.rules",
    "METHODS": "degu.inference.rules",
    "FilePredictor": "degu.inference.files",
    "FileSummary": "degu.inference.files",
    "IntervalCalibration": "degu.inference.calibration",
    "IntervalRule": "degu.inference.rules",
    "open_sequences": "degu.inference.records",
    "prediction_columns": "degu.inference.columns",
    "uncalibrated": "degu.inference.rules",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.inference' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
