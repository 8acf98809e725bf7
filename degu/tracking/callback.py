"""Sends the measurements of a Keras training to a tracker."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import keras

from degu.tracking.protocol import Tracker
from degu.tracking.values import family


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
        values = _named(logs or {})
        # Callbacks that change the rate at the end of an epoch leave the one that was used in the logs.
        values.setdefault("learning_rate", float(self.model.optimizer.learning_rate))
        values["seconds_per_epoch"] = time.perf_counter() - self._began
        self._tracker.metrics({f"{self._prefix}{name}": value for name, value in values.items()}, step=epoch)

    def before_checkpoint(self) -> None:
        """Send what waits, so that an epoch whose state is kept is on record."""
        self._tracker.flush()


def log_history(tracker: Tracker, history: keras.callbacks.History) -> None:
    """Record the epochs of a history as `TrackingCallback` does; a tracker that has an epoch already keeps it.

    Args:
        tracker: Tracker bound to the run of the model.
        history: What `fit` returned.
    """
    for place, epoch in enumerate(history.epoch):
        logs = {name: series[place] for name, series in history.history.items() if name != "stage"}
        # What was not measured in one of two stages is NaN in their joined history.
        tracker.metrics(_named({name: value for name, value in logs.items() if not math.isnan(value)}), step=epoch)


def _named(logs: Mapping[str, Any]) -> dict[str, float]:
    return {family(name): float(value) for name, value in logs.items()}
