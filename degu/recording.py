"""What a study leaves with the tracker: runs for members and student, their weights, histories and metrics."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from degu.tracking import Tracker, TrackingCallback
from degu.tracking.protocol import KIND_TAG


class Recorder:
    """Records the networks of one study as child runs of its run.

    Args:
        study: Tracker bound to the study's run.
        folder: The study's output folder.
        device: Tag of every run.
    """

    def __init__(self, study: Tracker, folder: Path, device: str) -> None:
        self.study = study
        self.folder = folder
        self.device = device
        self.run_ids: dict[str, str] = {}

    @contextlib.contextmanager
    def member(self, index: int, seed: int) -> Iterator[Sequence[keras.callbacks.Callback]]:
        """Record the training of a member; yields the callback that logs its epochs."""
        with self.network(f"member-{index:02d}", "member", seed) as callbacks:
            yield callbacks

    @contextlib.contextmanager
    def network(self, name: str, kind: str, seed: int) -> Iterator[Sequence[keras.callbacks.Callback]]:
        """Record the training of one network as a run of its own."""
        tags = {KIND_TAG: kind, "degu.seed": str(seed), "degu.device": self.device}
        with self.study.start(name, tags) as run:
            self.run_ids[name] = run.run_id
            yield [TrackingCallback(run)]

    def outcome(self, name: str, weights: Path, history: Mapping[str, Sequence[float]], metrics: Mapping) -> None:
        """Add weights, history and metrics to a network's run."""
        path = self.folder / "histories" / f"{name}.json"
        write_json(path, history)
        with self.study.attach(self.run_ids[name]) as run:
            run.artifact(weights, "weights")
            run.artifact(path, "history")
            run.metrics(metrics)


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name and rename it."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write text under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)


def epochs(history: keras.callbacks.History) -> dict[str, list[float]]:
    """Return a Keras history as plain lists of floats."""
    return {name: [float(value) for value in values] for name, values in history.history.items()}
