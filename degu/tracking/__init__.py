"""Experiment tracking: what a run was given, what it measured, what it produced.

Names are resolved on first use, so importing `degu.tracking` imports neither MLflow nor Keras.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from degu.tracking.callback import TrackingCallback
    from degu.tracking.mlflow_tracker import MLflowTracker
    from degu.tracking.null import NullTracker
    from degu.tracking.protocol import Tracker
    from degu.tracking.queries import list_studies, show_study
    from degu.tracking.scheduled import ScheduledTracker

_HOMES = {
    "MLflowTracker": "mlflow_tracker",
    "NullTracker": "null",
    "ScheduledTracker": "scheduled",
    "Tracker": "protocol",
    "TrackingCallback": "callback",
    "list_studies": "queries",
    "show_study": "queries",
}

__all__ = [
    "MLflowTracker",
    "NullTracker",
    "ScheduledTracker",
    "Tracker",
    "TrackingCallback",
    "list_studies",
    "show_study",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"degu.tracking.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'degu.tracking' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
