"""The output folder of a study: one process at a time works in it, and a state file says how far the study is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from degu.content import differences, key_of
from degu.errors import ConfigError, DataError
from degu.files import remove_leftovers, write_json

STATE = "study.json"
LOCK = ".study.lock"
_MOST_DIFFERENCES = 12


class StudyFolder:
    """A study's folder and its state.

    Attributes:
        path: The folder.
        content: What the results depend on; see `degu.content.content_of`.
        tracker: Where its runs are.
        run_ids: Runs with the tracker by name, `study`, `member-00` ..., `student`; created once, before anything is
            trained.
        sittings: How many processes have worked on the study, this one included.
        is_complete: Whether the study has ended well.
    """

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path = path
        self.content = content
        self.tracker = ""
        self.run_ids: dict[str, str] = {}
        self.sittings = 0
        self.is_complete = False

    @classmethod
    def read(cls, path: Path) -> StudyFolder | None:
        """Return the study in a folder; None where there is none.

        Raises:
            DataError: When its state file cannot be read.
        """
        file = path / STATE
        if not file.is_file():
            return None
        try:
            state = json.loads(file.read_text(encoding="utf-8"))
            found = cls(path, state["content"])
            found.tracker, found.run_ids = state["tracker"], state["runs"]
            found.sittings, found.is_complete = state["sittings"], state["complete"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}: expected the state of a study, received {error!r}. Use another folder") from error
        return found

    def use_tracker(self, uri: str) -> None:
        """Say where runs are recorded; runs that an earlier sitting has recorded elsewhere are left there."""
        if uri != self.tracker:
            self.tracker, self.run_ids = uri, {}

    def run_id(self, name: str, create: Callable[[], str]) -> str:
        """Return the identifier of a run, created and written down on the first call."""
        if name not in self.run_ids:
            self.run_ids[name] = create()
            self.write()
        return self.run_ids[name]

    def write(self) -> None:
        """Write the state file."""
        state = {
            "key": key_of(self.content),
            "complete": self.is_complete,
            "sittings": self.sittings,
            "tracker": self.tracker,
            "runs": self.run_ids,
            "content": self.content,
        }
        write_json(self.path / STATE, state)

    def complete(self) -> None:
        """Write down that the study has ended well."""
        self.is_complete = True
        self.write()


@contextlib.contextmanager
def claimed(path: Path, content: Mapping[str, Any], resume: bool) -> Iterator[StudyFolder]:
    """Take a folder for a study, alone, and yield its state: new, interrupted or complete.

    Args:
        path: The folder, made as needed.
        content: What the study's results depend on.
        resume: Whether an earlier study of the same content is taken up.

    Raises:
        ConfigError: When the folder is another study's, one of the same content that must not be resumed, or in use.
    """
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"{path}: expected a folder that no other process works in. Wait for it, or end it"
        ) from error
    try:
        study = StudyFolder.read(path) or StudyFolder(path, content)
        check_same(study, content)
        _check_new(study, resume)
        if not study.is_complete:
            remove_leftovers(path)
            study.sittings += 1
            study.write()
        yield study
        (path / LOCK).unlink(missing_ok=True)
    finally:
        lock.release()


def check_same(study: StudyFolder, content: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` when a study is another one than that of a content; it says what differs."""
    differing = differences(study.content, content)
    if differing:
        shown = "; ".join(differing[:_MOST_DIFFERENCES])
        more = f"; and {len(differing) - _MOST_DIFFERENCES} more" if len(differing) > _MOST_DIFFERENCES else ""
        raise ConfigError(
            f"{study.path}: expected an empty folder or one of the same study. Received: a study that differs in "
            f"{shown}{more}. Use another folder"
        )


def _check_new(study: StudyFolder, resume: bool) -> None:
    if study.sittings and not resume:
        state = "a complete" if study.is_complete else "an interrupted"
        raise ConfigError(
            f"{study.path}: expected an empty folder, because resume=false. Received: {state} study of the same "
            "config. Use another folder, or resume=true"
        )


def interrupted(parent: Path, content: Mapping[str, Any]) -> Path | None:
    """Return the folder of the newest interrupted study of the same content in a folder, or None.

    A study that another process works on is not interrupted.
    """
    key = key_of(content)
    files = sorted(parent.glob(f"*/{STATE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        with contextlib.suppress(DataError):
            study = StudyFolder.read(file.parent)
            if study and key_of(study.content) == key and not study.is_complete and _is_free(file.parent):
                return file.parent
    return None


def _is_free(folder: Path) -> bool:
    try:
        with FileLock(folder / LOCK, timeout=0):
            return True
    except Timeout:
        return False
