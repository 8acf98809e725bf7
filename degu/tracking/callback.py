"""Sends the measurements of a Keras training to a tracker."""

from __future__ import annotations

import time
from typing import Any

import keras

from degu.tracking.protocol import Tracker


class TrackingCallback(keras.callbacks.Callback):
    """Records each epoch of `fit` in one call to the tracker.

    Keras' ``loss`` becomes ``train/loss`` and ``val_loss`` becomes ``valid/loss``; ``learning_rate`` and
    ``seconds_per_epoch`` are added. The step is the epoch, counted from 0.

    Args:
        tracker: Tracker bound to the run of the model.
        prefix: Put before every name with a slash between, for runs that train more than once.
    """

    def __init__(self, tracker: Tracker, prefix: str = "") -> None:
        super().__init__()
        self._tracker = tracker
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock of the epoch."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch.

        Args:
            epoch: Epoch, counted from 0.
            logs: What Keras measured.
        """
        values = {_family(name): float(value) for name, value in (logs or {}).items()}
        # Callbacks that change the rate at the end of an epoch leave the one that was used in the logs.
        values.setdefault("learning_rate", float(self.model.optimizer.learning_rate))
        values["seconds_per_epoch"] = time.perf_counter() - self._began
        self._tracker.metrics({f"{self._prefix}{name}": value for name, value in values.items()}, step=epoch)


def _family(name: str) -> str:
    if name == "learning_rate":
        return name
    return f"valid/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"
