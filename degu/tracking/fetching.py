"""Brings what a study recorded back into a folder."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from degu.errors import TrackingError
from degu.tracking.backend import patiently
from degu.tracking.queries import members_of, show_study
from degu.tracking.store import connect, locate

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOT_NEEDED = ("predictions", "student", "weights")


def fetch_study(
    run_id: str, folder: Path, uri: str | None = None, root: str | Path = "mlruns", *, whole: bool = False
) -> str:
    """Fetch a study's files and its networks' histories.

    Args:
        run_id: Identifier of the study's run, or its first 6 or more characters.
        folder: Where to put them, as they lie in the output folder of a study.
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.
        whole: Fetch weights and cached predictions too.

    Returns:
        The whole identifier.

    Raises:
        TrackingError: If the store cannot be used, there is not exactly one such run, or it recorded no results.
    """
    study = show_study(run_id, uri, root)
    found = study.summary.run_id
    if "results.json" not in study.artifacts:
        raise TrackingError(
            f"Expected the run of a finished study, received {found} ({study.summary.name}, {study.summary.status}), "
            "which recorded no results.json. `degu runs list` shows the studies."
        )
    client = connect(locate(uri, root))
    for path in dict.fromkeys(artifact.split("/")[0] for artifact in study.artifacts):
        if whole or path not in _NOT_NEEDED:
            _fetch(client, found, path, folder)
    for child in study.children:
        _fetch_all(client, child.run_id, "history", folder / "histories")
        if whole:
            _fetch_all(client, child.run_id, "weights", folder / "weights")
    return found


def fetch_weights(run_id: str, folder: Path, uri: str | None = None, root: str | Path = "mlruns") -> list[Path]:
    """Fetch the weights of the members of a study, or of one member, and the study's config and results.

    Args:
        run_id: Identifier of a study's run or of a member's, or its first 6 or more characters.
        folder: Where to put them, as they lie in the output folder of a study.
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.

    Returns:
        The weight files, in the order of the members.

    Raises:
        TrackingError: If the store cannot be used, there is not exactly one such run, or it recorded no weights.
    """
    study, children = members_of(run_id, uri, root)
    client = connect(locate(uri, root))
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.yaml", "results.json"):
        _fetch(client, study, name, folder)
    fetched = []
    for child in children:
        entries = patiently(partial(client.list_artifacts, child.run_id, "weights"), "list the artifacts")
        paths = [_fetch(client, child.run_id, entry.path, folder) for entry in entries]
        fetched += [path for path in paths if path.name.endswith(".h5")]
    if not fetched:
        raise TrackingError(f"Expected a run with the weights of members, received {run_id}, which recorded none.")
    return fetched


def _fetch_all(client: MlflowClient, run_id: str, source: str, target: Path) -> None:
    """Fetch the files of a folder of artifacts, if there is one, into a folder that other runs' files lie in too."""
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as own:
        for entry in patiently(partial(client.list_artifacts, run_id, source), "list the artifacts"):
            if not entry.is_dir:
                _fetch(client, run_id, entry.path, Path(own)).replace(target / PurePosixPath(entry.path).name)


def _fetch(client: MlflowClient, run_id: str, path: str, folder: Path) -> Path:
    """Fetch one artifact; where it lies in the folder is the store's affair."""
    fetched = patiently(lambda: client.download_artifacts(run_id, path, str(folder)), f"hand out the artifact {path}")
    return Path(fetched)
