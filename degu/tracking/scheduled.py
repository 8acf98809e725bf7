"""Runs that exist before the process that fills them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from degu.tracking.protocol import Tracker


class ScheduledTracker:
    """A root tracker whose first run is one that another process created for this one.

    Args:
        root: Root tracker.
        run_id: Identifier that `create` returned; may be empty where nothing is tracked.
    """

    def __init__(self, root: Tracker, run_id: str) -> None:
        self._root = root
        self._scheduled: str | None = run_id

    @property
    def uri(self) -> str:
        """Where runs are recorded; empty where they are not."""
        return getattr(self._root, "uri", "")

    @property
    def run_id(self) -> str:
        """Empty, as of every root."""
        return self._root.run_id

    def keep_unsent(self, folder: Path) -> None:
        """Keep what cannot be recorded now in a study's folder."""
        self._root.keep_unsent(folder)

    @contextmanager
    def start(self, name: str, tags: Mapping[str, str] | None = None) -> Iterator[Tracker]:
        """Enter the run; it keeps the name that it was created with and takes the tags."""
        with self._root.attach(self.create(name, tags)) as run:
            yield run

    def create(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """Return the run, with these tags; a second call creates another top-level run."""
        if self._scheduled is None:
            return self._root.create(name, tags)
        run_id, self._scheduled = self._scheduled, None
        self._root.mark(run_id, tags or {})
        return run_id

    def attach(self, run_id: str) -> AbstractContextManager[Tracker]:
        """Enter an existing run."""
        return self._root.attach(run_id)

    def mark(self, run_id: str, values: Mapping[str, str]) -> None:
        """Record tags of another run."""
        self._root.mark(run_id, values)

    def config(self, frozen: Mapping[str, Any]) -> None:
        """Refused, as by every root."""
        self._root.config(frozen)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Refused, as by every root."""
        self._root.metrics(values, step)

    def flush(self) -> None:
        """Nothing waits to be sent."""
        self._root.flush()

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """Refused, as by every root."""
        self._root.artifact(path, folder)

    def student(self, package: Path) -> None:
        """Refused, as by every root."""
        self._root.student(package)

    def tags(self, values: Mapping[str, str]) -> None:
        """Refused, as by every root."""
        self._root.tags(values)
