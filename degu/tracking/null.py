"""The tracker of those who track nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class NullTracker:
    """A tracker that records nothing and needs neither a store nor MLflow."""

    @property
    def run_id(self) -> str:
        """Always empty."""
        return ""

    def keep_unsent(self, folder: Path) -> None:
        """Do nothing."""

    @contextmanager
    def start(self, name: str, tags: Mapping[str, str] | None = None) -> Iterator[NullTracker]:
        """Yield this tracker."""
        yield self

    def create(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """Return the empty identifier."""
        return ""

    @contextmanager
    def attach(self, run_id: str) -> Iterator[NullTracker]:
        """Yield this tracker."""
        yield self

    def mark(self, run_id: str, values: Mapping[str, str]) -> None:
        """Discard tags."""

    def config(self, frozen: Mapping[str, Any]) -> None:
        """Discard a configuration."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Discard measurements."""

    def flush(self) -> None:
        """Nothing waits."""

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """Discard an artifact."""

    def student(self, package: Path) -> None:
        """Discard a student."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Discard tags."""
