"""Finds and opens the store that runs are recorded in.

A local store is a SQLite database with an ``artifacts`` folder beside it, created under a file lock:
processes that meet on a fresh store wait for the first one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filelock import FileLock, Timeout

from degu.errors import TrackingError
from degu.tracking.backend import load_client, patiently
from degu.tracking.database import check_database, create_database, has_content, sqlite_uri
from degu.tracking.server import probe

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LOCK_SECONDS = 120
_LOOK_SECONDS = 2
T = TypeVar("T")
_DATABASE_SERVERS = ("postgresql", "mysql", "mssql")


class Store(NamedTuple):
    """Where runs are recorded.

    Attributes:
        uri: Absolute tracking URI.
        folder: Folder of the lock and the artifacts; `None` where a server keeps them.
        database: SQLite file, if there is one.
    """

    uri: str
    folder: Path | None
    database: Path | None


def locate(uri: str | None, root: str | Path) -> Store:
    """Work out which store is meant, without touching it.

    Args:
        uri: `None` for the local store, ``sqlite:///FILE``, ``http(s)://HOST:PORT`` of an MLflow server, or
            the URI of a database server. Artifacts of a SQLite store lie beside its file.
        root: Folder of the local store; a database server's artifacts lie there too.

    Returns:
        The store, with absolute paths.

    Raises:
        TrackingError: If MLflow cannot keep runs there.
    """
    if uri is None:
        return _sqlite_store(Path(root) / "mlflow.db")
    scheme, _, rest = uri.partition("://")
    if scheme in ("http", "https"):
        return Store(uri.rstrip("/"), None, None)
    if scheme == "sqlite" and rest.strip("/") not in ("", ":memory:"):
        return _sqlite_store(Path(rest.removeprefix("/")))
    if scheme.partition("+")[0] in _DATABASE_SERVERS:
        return Store(uri, Path(root).expanduser().resolve(), None)
    raise TrackingError(
        "Expected a tracking uri of the form sqlite:///FILE, http://HOST:PORT or that of a database server "
        f"({', '.join(_DATABASE_SERVERS)}), received {uri!r}. Leave it null for a local store."
    )


def _sqlite_store(file: Path) -> Store:
    database = file.expanduser().resolve()
    return Store(sqlite_uri(database), database.parent, database)


def connect(store: Store) -> MlflowClient:
    """Open a store that exists.

    Args:
        store: Result of `locate`.

    Returns:
        A client of the store.

    Raises:
        TrackingError: If the server does not answer, or the database is missing or not fit for use.
    """
    if store.folder is None:
        probe(store.uri)
    if store.database is not None:
        if not has_content(store.database):
            raise TrackingError(
                f"Expected a tracking database at {store.database}, found none. "
                "Record a run first, or name the store of an earlier one."
            )
        check_database(store.database)
    return load_client(store.uri)


def open_experiment(store: Store, name: str) -> tuple[MlflowClient, str]:
    """Open a store and one of its experiments, creating what is missing.

    Args:
        store: Result of `locate`.
        name: Name of the experiment.

    Returns:
        A client of the store and the identifier of the experiment.

    Raises:
        TrackingError: If the store or the experiment cannot be used.
    """
    if store.folder is None:
        client = connect(store)
        return client, _get_or_create(client, name, None)
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        with _in_turn(store.folder / ".store.lock", partial(_ready, store, name)) as found:
            if found is not None:
                return found
            if store.database is not None and not has_content(store.database):
                create_database(store.database)
            client = connect(store)
            return client, _get_or_create(client, name, (store.folder / "artifacts").as_uri())
    except Timeout as error:
        raise TrackingError(
            f"Waited {_LOCK_SECONDS} s for {error.lock_file}, which another process holds. "
            "Wait for that process, or end it if it hangs."
        ) from error
    except OSError as error:
        raise TrackingError(
            f"Expected a folder for runs that can be written to, received {store.folder}: {error.strerror}."
        ) from error


@contextmanager
def _in_turn(lock: Path, ready: Callable[[], T | None]) -> Iterator[T | None]:
    """Wait for a lock, or until another process has done what it is for.

    On a busy machine a turn takes seconds; who waits must not need one only to see that there is nothing left to do.

    Args:
        lock: File of the lock.
        ready: Looks, without the lock; None while there is something to do.

    Yields:
        What `ready` found, or None when this process has the lock.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    while (found := ready()) is None:
        try:
            with FileLock(lock, timeout=_LOOK_SECONDS):
                yield None
                return
        except Timeout:
            if time.monotonic() > deadline:
                raise
    yield found


def _ready(store: Store, name: str) -> tuple[MlflowClient, str] | None:
    """Return a client and the experiment if both the SQLite database and the experiment are there."""
    if store.database is None or not has_content(store.database):
        return None
    client = connect(store)
    found = _experiment(client, name)
    return None if found is None or found.lifecycle_stage != "active" else (client, found.experiment_id)


def _get_or_create(client: MlflowClient, name: str, artifacts: str | None) -> str:
    found = _experiment(client, name)
    if found is None:
        try:
            return patiently(lambda: client.create_experiment(name, artifacts), "create the experiment")
        except TrackingError:
            # Another client of the same server may have been faster.
            found = _experiment(client, name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"Expected an experiment in use, received {name!r}, which was deleted. Choose another name, or "
            f"run `mlflow experiments restore --experiment-id {found.experiment_id}`."
        )
    return found.experiment_id


def _experiment(client: MlflowClient, name: str) -> Any:
    return patiently(lambda: client.get_experiment_by_name(name), "look up the experiment")
