"""Keeps the calls that a tracking store did not take, in the study's folder, and makes them when it is back.

A training does not wait for a server. From the first call that fails, all calls are appended to a file, in order, and a
thread in the background asks whether the store is back. What is left when the process ends is kept: another sitting of
the study, or `degu runs sync`, makes the calls.

```text
unsent/store.json      where the calls belong
unsent/runs.json       what the store calls the runs that were created meanwhile
unsent/*.jsonl         calls, one file a process, and in *.done how many of them were made
```
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from degu.errors import TrackingError
from degu.tracking.backend import Unreachable, patiently
from degu.tracking.calls import PENDING, Call, make
from degu.tracking.server import probe

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

UNSENT = "unsent"
"""Folder in that of the study."""

REFUSED = "refused.jsonl"
"""Calls among these that the store, back again, did not accept."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Outbox:
    """The way of one process to a store, with a file for the calls that it did not take.

    Args:
        client: The store.
        uri: Its tracking URI.
        study: Folder of the study; the file is made when it is needed.
    """

    def __init__(self, client: MlflowClient, uri: str, study: Path) -> None:
        self.study = study.absolute()
        self.home = self.study / UNSENT
        self._client = client
        self._uri = uri
        self._queue = self._new_queue()
        self._changing = threading.RLock()
        self._delivering = threading.Lock()
        self._left = threading.Event()
        self._thread: threading.Thread | None = None
        self._runs: dict[str, str] = {}
        self._users = 0

    def _new_queue(self) -> _Queue:
        # Files of several processes and sittings sort by the time of their making.
        return _Queue(self.home / f"{time.time_ns() // 1_000_000:013d}-{uuid.uuid4().hex[:8]}.jsonl")

    def call(self, call: Call) -> str:
        """Make a call now, or keep it.

        Returns:
            The identifier of the run; a pending one where the store does not know it yet.

        Raises:
            TrackingError: If the store refuses.
        """
        with self._changing:
            if not self._queue.waiting:
                try:
                    return make(self._client, call, self.resolve, self.study)
                except Unreachable as error:
                    self._begin(error)
            return self._keep({**call, "again": True})

    def read(self, run_id: str) -> Any:
        """Return a run as the store has it; None while it cannot be asked or has not been told everything.

        Raises:
            TrackingError: If there is no such run.
        """
        with self._changing:
            if self._queue.waiting:
                return None
            try:
                known = self.resolve(run_id)
                return patiently(lambda: self._client.get_run(known), f"read the run {known!r}")
            except Unreachable:
                return None

    def resolve(self, run_id: str) -> str:
        """Return the identifier that the store knows a run by.

        Raises:
            Unreachable: If the run is to be created still.
        """
        if not run_id.startswith(PENDING):
            return run_id
        if run_id not in self._runs:
            self._runs |= _read(self.home / "runs.json")
        if run_id not in self._runs:
            raise Unreachable(f"The run {run_id} is to be created yet.")
        return self._runs[run_id]

    def known(self, run_id: str) -> str:
        """Return the identifier that the store knows a run by; the pending one where it does not know it yet."""
        with contextlib.suppress(Unreachable):
            return self.resolve(run_id)
        return run_id

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Be in use by a run; when the last one ends, what waits is tried once more."""
        self._users += 1
        if self._users == 1:
            self._adopt()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._settle()

    def deliver(self) -> int:
        """Make the calls that wait, those of earlier processes first, and return how many there were.

        Raises:
            Unreachable: If the store does not answer; what was not made waits on.
        """
        count = 0
        with self._delivering:
            for queue in self._others():
                count += self._empty(queue)
            return count + self._empty(self._queue)

    def _begin(self, error: Unreachable) -> None:
        log.warning(
            "The tracking store does not answer; the study goes on, and what there is to record is kept in %s until it "
            "does. %s",
            self.home,
            error,
        )
        self.home.mkdir(parents=True, exist_ok=True)
        # Neither user name nor password belong into a file.
        address = {"uri": re.sub(r"//[^/@]*@", "//", self._uri)}
        (self.home / "store.json").write_text(json.dumps(address) + "\n", encoding="utf-8")
        if self._thread is None:
            self._left.clear()
            self._thread = threading.Thread(target=self._watch, name="degu-outbox", daemon=True)
            self._thread.start()

    def _keep(self, call: dict[str, Any]) -> str:
        if "path" in call:
            call["path"] = self._lasting(Path(call["path"]))
        self._queue.append(call)
        return f"{PENDING}{call['uid']}" if call["do"] == "create" else call["run"]

    def _lasting(self, path: Path) -> str:
        """Return where a file will be found later: its place in the study's folder, or a copy."""
        path = path.absolute()
        if path.is_relative_to(self.study):
            return path.relative_to(self.study).as_posix()
        copy = self.home / "files" / uuid.uuid4().hex / path.name
        copy.parent.mkdir(parents=True)
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, copy)
        return copy.relative_to(self.study).as_posix()

    def _watch(self) -> None:
        """Ask whether the store is back, with growing pauses, and make the calls when it is."""
        pause = _FIRST_PAUSE
        while not self._left.wait(pause):
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                self._ask()
                count = self.deliver()
            except TrackingError as error:
                log.debug("Not yet: %s", error)
                continue
            log.info("The tracking store is back; %d calls were made up for", count)
            with self._changing:
                if not self._queue.waiting:
                    self._thread = None
                    return

    def _ask(self) -> None:
        if self._uri.startswith("http"):
            probe(self._uri)

    def _settle(self) -> None:
        """Stop watching and try once more; say what is left."""
        self._left.set()
        thread = self._thread
        if thread is not None:
            thread.join()
            self._thread = None
        if not self._queue.waiting:
            return
        try:
            self._ask()
            count = self.deliver()
            log.info("The tracking store is back; %d calls were made up for", count)
        except TrackingError as error:
            log.warning(
                "%d calls to the tracking store wait in %s. When it is back: degu runs sync %s. %s",
                self._queue.waiting,
                self.home,
                self.study,
                error,
            )
            self._queue.release()
            self._queue = self._new_queue()

    def _adopt(self) -> None:
        """Make up for the calls of earlier processes, if the store can be reached."""
        if not any(self._others()):
            return
        try:
            count = self.deliver()
            log.info("%d calls of an earlier sitting were made up for", count)
        except TrackingError as error:
            log.warning("Calls of an earlier sitting still wait in %s: %s", self.home, error)

    def _others(self) -> list[_Queue]:
        return [_Queue(path) for path in sorted(self.home.glob("[0-9]*.jsonl")) if path != self._queue.path]

    def _empty(self, queue: _Queue) -> int:
        """Make the calls of a queue in order, and remove it; one that another process still writes is left alone."""
        count = 0
        with queue.owned() as owned:
            while owned:
                with self._changing:
                    call = queue.first()
                    if call is None:
                        queue.remove()
                        return count
                self._make_up_for(call)
                queue.advance()
                count += 1
        return count

    def _make_up_for(self, call: dict[str, Any]) -> None:
        try:
            run_id = make(self._client, call, self.resolve, self.study)
        except Unreachable:
            raise
        except TrackingError as error:
            log.warning("A call is kept in %s and left out: %s", self.home / REFUSED, error)
            with (self.home / REFUSED).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**call, "refused": str(error)}) + "\n")
            return
        if call["do"] == "create":
            self._learn(f"{PENDING}{call['uid']}", run_id)

    def _learn(self, pending: str, run_id: str) -> None:
        path = self.home / "runs.json"
        with FileLock(self.home / ".runs.lock"):
            self._runs |= {**_read(path), pending: run_id}
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(self._runs, indent=2) + "\n", encoding="utf-8")
            partial.replace(path)


class _Queue:
    """A file of calls, one a line, and how many of them have been made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done_path = path.with_suffix(".done")
        self._lock = FileLock(path.with_suffix(".lock"), thread_local=False)
        self._calls: list[dict[str, Any]] = []
        self._done = 0
        if path.is_file():
            self._load()

    @property
    def waiting(self) -> int:
        """Calls that have not been made."""
        return len(self._calls) - self._done

    def append(self, call: dict[str, Any]) -> None:
        """Write a call down."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._lock.is_locked:
            self._lock.acquire()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(call) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._calls.append(call)

    def first(self) -> dict[str, Any] | None:
        """Return the next call to be made."""
        return self._calls[self._done] if self.waiting else None

    def advance(self) -> None:
        """Note that the next call has been made."""
        partial = self._done_path.with_suffix(".partial")
        partial.write_text(str(self._done + 1), encoding="utf-8")
        partial.replace(self._done_path)
        self._done += 1

    @contextlib.contextmanager
    def owned(self) -> Iterator[bool]:
        """Yield whether the queue is this process's, taking one that nobody holds."""
        if self._lock.is_locked:
            yield True
            return
        if not self.path.is_file():
            yield True
            return
        try:
            with self._lock.acquire(timeout=0):
                self._load()
                yield True
        except Timeout:
            yield False

    def remove(self) -> None:
        """Remove the files; all calls have been made."""
        self._calls, self._done = [], 0
        self.path.unlink(missing_ok=True)
        self._done_path.unlink(missing_ok=True)
        if self._lock.is_locked:
            self._lock.release()
        self.path.with_suffix(".lock").unlink(missing_ok=True)

    def release(self) -> None:
        """Leave the file to whoever delivers it."""
        self._lock.release()

    def _load(self) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        # A process that was killed may have left half a line, of a call that nobody was told had been kept.
        self._calls = [json.loads(line) for line in lines if line.endswith("\n")]
        self._done = int(self._done_path.read_text(encoding="utf-8")) if self._done_path.is_file() else 0


def _read(path: Path) -> dict[str, str]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
