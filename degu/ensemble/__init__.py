"""Ensembles of sequence-to-activity models."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Ensembler": "degu.ensemble.ensembler",
    "EnsemblerBase": "degu.ensemble.base",
    "EnsemblerMixed": "degu.ensemble.mixed",
    "EnsemblerDynamic": "degu.ensemble.dynamic",
    "InProcess": "degu.ensemble.executors",
    "LocalProcesses": "degu.ensemble.executors",
    "SlurmJobs": "degu.ensemble.slurm",
    "Member": "degu.ensemble.member",
    "Prediction": "degu.ensemble.prediction",
    "EnsembleEvaluation": "degu.ensemble.prediction",
    "PredictionCache": "degu.ensemble.cache",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'degu.ensemble' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
