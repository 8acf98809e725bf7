"""What the rest of degu may ask of an experiment tracker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

KIND_TAG = "degu.kind"
"""Tag that tells a ``sweep`` from its ``study`` runs, and these from their ``member`` and ``student`` runs."""

OBJECTIVE_TAG = "degu.objective"
"""Tag of a study or sweep that names the metric it was judged by."""

SWEEP_TAG = "degu.sweep"
"""Tag of a sweep and of its studies: the sweep's name."""

JOB_TAG = "degu.job"
"""Tag of a study of a sweep: its number there."""

BEST_TAG = "degu.best"
"""Tag of the best study of a sweep, ``true``; of a sweep, the identifier of that study's run."""

ERROR_TAG = "degu.error"
"""Tag of a study of a sweep that failed: the message."""

NOTE_TAG = "mlflow.note.content"
"""Tag that the MLflow UI shows as the description of a run, in Markdown."""

SITTINGS_TAG = "degu.sittings"
"""Tag of a study that counts the processes that worked on it: 1 unless it was interrupted."""


@runtime_checkable
class Tracker(Protocol):
    """A place where runs are recorded.

    A tracker is either the root, which belongs to no run, or bound to one run. `start` and `create` make a
    top-level run on the root and a child of its run on a bound tracker. The other methods write to the bound
    run.
    """

    @property
    def run_id(self) -> str:
        """Identifier of the bound run; empty for the root."""
        ...

    def keep_unsent(self, folder: Path) -> None:
        """Keep what cannot be recorded now in a study's folder, and record it later; see `degu.tracking.outbox`.

        Without this, a store that does not answer ends the study.
        """
        ...

    def start(self, name: str, tags: Mapping[str, str] | None = None) -> AbstractContextManager[Tracker]:
        """Create a run and enter it.

        The run ends as ``FINISHED`` when the block is left normally, ``KILLED`` on `KeyboardInterrupt` and
        ``FAILED`` on any other exception.

        Args:
            name: Name shown for the run, such as ``member-00``.
            tags: Tags of the new run.

        Returns:
            A context manager that yields a tracker bound to the new run.
        """
        ...

    def create(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """Create a run that another process will enter with `attach`.

        Args:
            name: Name shown for the run.
            tags: Tags of the new run.

        Returns:
            Identifier of the new run, which waits as ``SCHEDULED``.
        """
        ...

    def attach(self, run_id: str) -> AbstractContextManager[Tracker]:
        """Enter an existing run, and end it as `start` does.

        Measurements that the run has already are not recorded a second time: those of an epoch that it has, and those
        without an epoch that are the same.

        Args:
            run_id: Identifier that `create` returned, or that of a run to resume.

        Returns:
            A context manager that yields a tracker bound to the run.
        """
        ...

    def mark(self, run_id: str, values: Mapping[str, str]) -> None:
        """Record or replace tags of another run, which is not entered."""
        ...

    def config(self, frozen: Mapping[str, Any]) -> None:
        """Record a resolved configuration of plain mappings, lists and scalars."""
        ...

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record measurements, at a step (epochs count from 0) if they belong to one."""
        ...

    def flush(self) -> None:
        """Send measurements that still wait to be sent."""
        ...

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """Record a file, or a folder with all it holds, under `folder` of the run's artifacts."""
        ...

    def student(self, package: Path) -> None:
        """Record a student as a model that can be served.

        Args:
            package: Its folder, see `degu.serving.package.package_student`.
        """
        ...

    def tags(self, values: Mapping[str, str]) -> None:
        """Record or replace tags of the run."""
        ...
