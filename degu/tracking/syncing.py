"""Records what a study could not record while it ran."""

from __future__ import annotations

import json
from pathlib import Path

from degu.errors import TrackingError
from degu.tracking.outbox import REFUSED, UNSENT, Outbox
from degu.tracking.store import connect, locate


def sync_study(folder: Path, uri: str | None = None, root: str | Path = "mlruns") -> int:
    """Make the calls that wait in a study's folder.

    Args:
        folder: Folder of the study.
        uri: Tracking URI; `None` for the one that the study was told, which is kept without user name and password.
        root: Folder that the artifacts of a database server lie in.

    Returns:
        How many calls were made; 0 where none waits.

    Raises:
        TrackingError: If the store does not answer, or a process that has calls to make still runs.
    """
    home = folder / UNSENT
    if not folder.is_dir():
        raise TrackingError(f"Expected the folder of a study, received {str(folder)!r}, which does not exist.")
    if not any(home.glob("[0-9]*.jsonl")):
        return 0
    if uri is None:
        uri = json.loads((home / "store.json").read_text(encoding="utf-8"))["uri"]
    client = connect(locate(uri, root))
    count = Outbox(client, uri, folder).deliver()
    if any(home.glob("[0-9]*.jsonl")):
        raise TrackingError(
            f"{count} calls were made; others in {home} belong to a process that still runs. Wait for it."
        )
    if (home / REFUSED).is_file():
        raise TrackingError(
            f"{count} calls were looked at; the store refused some, which are kept in {home / REFUSED}."
        )
    return count
