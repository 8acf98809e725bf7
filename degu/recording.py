"""What a study leaves with the tracker: runs for members and student, their weights, histories and metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras

from degu.files import write_json
from degu.study_folder import StudyFolder
from degu.tracking import Tracker, TrackingCallback
from degu.tracking.callback import log_history
from degu.tracking.protocol import KIND_TAG
from degu.train.network import units_path
from degu.train.records import plain, record_path


class Recorder:
    """Records the networks of one study as child runs of its run.

    Args:
        study: Tracker bound to the study's run.
        folder: The study's output folder, which knows the identifiers of the runs.
        device: Tag of every run.
    """

    def __init__(self, study: Tracker, folder: StudyFolder, device: str) -> None:
        self.study = study
        self.folder = folder
        self.device = device

    def announce(self, seeds: Mapping[str, int]) -> None:
        """Create the runs of all networks that have none yet, before any is trained.

        Args:
            seeds: Seeds by name of the network, `member-00` ... and `student`.
        """
        for name, seed in seeds.items():
            kind = name.partition("-")[0]
            tags = {KIND_TAG: kind, "degu.seed": str(seed), "degu.device": self.device}
            self.folder.run_id(name, partial(self.study.create, name, tags))

    @contextlib.contextmanager
    def member(self, index: int, seed: int) -> Iterator[Sequence[keras.callbacks.Callback]]:
        """Record the training of a member; yields the callback that logs its epochs."""
        with self.network(member_name(index)) as callbacks:
            yield callbacks

    @contextlib.contextmanager
    def network(self, name: str) -> Iterator[Sequence[keras.callbacks.Callback]]:
        """Record the training of one network in its run."""
        with self.study.attach(self.folder.run_ids[name]) as run:
            yield [TrackingCallback(run)]

    def outcome(self, name: str, weights: Path, history: keras.callbacks.History, metrics: Mapping) -> None:
        """Add weights, history and metrics to a network's run, and the epochs that an interruption has kept from it."""
        path = self.folder.path / "histories" / f"{name}.json"
        write_json(path, plain(history))
        with self.study.attach(self.folder.run_ids[name]) as run:
            log_history(run, history)
            for file in (weights, record_path(weights), units_path(weights)):
                if file.is_file():
                    run.artifact(file, "weights")
            run.artifact(path, "history")
            run.metrics(metrics)


def member_name(index: int) -> str:
    """Return the name of a member's run."""
    return f"member-{index:02d}"
