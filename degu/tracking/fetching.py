"""Brings what a study recorded back into a folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from degu.errors import DataError, TrackingError
from degu.tracking.backend import patiently
from degu.tracking.queries import SHORTEST_PREFIX, members_of, show_study
from degu.tracking.store import connect, locate

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from degu.tracking.queries import StudySummary

LARGE = ("predictions", "student", "weights")
"""Folders of a study that are fetched on request only."""


class Located(NamedTuple):
    """Where a study is.

    Attributes:
        folder: Its folder, as `degu run` leaves one.
        run_id: The run that it was fetched from; empty for a folder of the user's.
    """

    folder: Path
    run_id: str

    @property
    def name(self) -> str:
        """What to call it: its run, or its folder."""
        return self.run_id or self.folder.resolve().name


@contextmanager
def located_study(
    study: str | Path, uri: str | None = None, root: str | Path = "mlruns", also: Collection[str] = ()
) -> Iterator[Located]:
    """Yield the folder of a study that is named by its folder, or by its run.

    Args:
        study: The folder; or the identifier of the run, or its first 6 or more characters, whose files are fetched into
            a temporary folder, which is removed at the end.
        uri: Tracking URI of the run; `None` for the local store.
        root: Folder of the local store.
        also: Which of the folders `LARGE` are needed.

    Raises:
        DataError: If it is neither.
        TrackingError: As `fetch_study`.
    """
    folder = Path(study).expanduser()
    if folder.is_dir():
        yield Located(folder, "")
        return
    if folder.exists() or not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_PREFIX},}}", str(study)):
        raise DataError(
            f"{study}: expected the output folder of a study (output_dir in the last line of degu run), or its run id "
            f"(the first {SHORTEST_PREFIX} characters will do; degu runs list shows them), received "
            f"{'a file' if folder.exists() else 'neither'}."
        )
    with tempfile.TemporaryDirectory(prefix="degu-study-") as place:
        home = Path(place) / str(study)
        home.mkdir()
        yield Located(home, fetch_study(str(study), home, uri, root, also))


def fetch_study(
    run_id: str, folder: Path, uri: str | None = None, root: str | Path = "mlruns", also: Collection[str] = ()
) -> str:
    """Fetch a study's files and its networks' histories.

    Args:
        run_id: Identifier of the study's run, or its first 6 or more characters.
        folder: Where to put them, as they lie in the output folder of a study.
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.
        also: Which of the folders `LARGE` are fetched too.

    Returns:
        The whole identifier.

    Raises:
        TrackingError: If the store cannot be used, there is not exactly one such run, or it recorded no results, or not
            what is asked for.
    """
    study = show_study(run_id, uri, root)
    found = study.summary.run_id
    client = connect(locate(uri, root))
    if "results.json" not in study.artifacts:
        raise _without("results.json", study.summary, client)
    for path in dict.fromkeys(artifact.split("/")[0] for artifact in study.artifacts):
        if path not in LARGE or path in also:
            _fetch(client, found, path, folder)
    for child in study.children:
        _fetch_all(client, child.run_id, "history", folder / "histories")
        if "weights" in also:
            _fetch_all(client, child.run_id, "weights", folder / "weights")
    if "weights" in also and not any((folder / "weights").glob("*.h5")):
        raise _without("weights", study.summary, client)
    return found


def _without(what: str, study: StudySummary, client: MlflowClient) -> TrackingError:
    place = patiently(lambda: client.get_run(study.run_id), "read a run").info.artifact_uri
    return TrackingError(
        f"Expected the run of a finished study, received {study.run_id} ({study.name}, {study.status}), which recorded "
        f"no {what}, or whose files are no longer at {place}. `degu runs list` shows the studies."
    )


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
