"""Device slots: which GPU a process of a sweep on this machine may use."""

from __future__ import annotations

import contextlib
import getpass
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from degu.devices import VISIBLE, visible_gpus

_POLL_SECONDS = 0.2


def slot_folder() -> Path:
    """Return the folder of this user's slots on this machine; all sweeps of the user share it."""
    return Path(tempfile.gettempdir()) / f"degu-slots-{getpass.getuser()}"


@contextlib.contextmanager
def slot(per_gpu: int) -> Iterator[dict[str, str]]:
    """Hold one of the slots of this machine's GPUs; wait until one is free.

    Slots are file locks, which the system frees when their process ends, however that happens.

    Args:
        per_gpu: Processes that may share one GPU.

    Yields:
        Environment variables that bind a process to the slot; none where there is no GPU.
    """
    gpus = visible_gpus()
    if not gpus:
        yield {}
        return
    folder = slot_folder()
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for place in range(per_gpu):
            for gpu in gpus:
                lock = FileLock(folder / f"{gpu.replace('/', '_')}.{place}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                try:
                    yield {VISIBLE: gpu}
                finally:
                    lock.release()
                return
        time.sleep(_POLL_SECONDS)
