"""Creates and checks the SQLite database of a local store.

The database is built under another name and renamed, so an interrupted creation leaves nothing that looks
like a store.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from degu.errors import TrackingError
from degu.tracking.backend import patiently, prepare_environment

_BUSY_SECONDS = 20


def sqlite_uri(database: Path) -> str:
    """Return the tracking URI of an absolute path."""
    return f"sqlite:///{database.as_posix()}"


def has_content(database: Path) -> bool:
    """Tell whether there is a file with something in it."""
    return database.is_file() and database.stat().st_size > 0


def create_database(database: Path) -> None:
    """Make an MLflow database; the caller holds the lock of the store.

    Args:
        database: Absolute path of the file.

    Raises:
        TrackingError: If MLflow cannot make it.
    """
    prepare_environment()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    partial = database.with_name(f".{database.name}.partial")
    partial.unlink(missing_ok=True)
    artifacts = (database.parent / "artifacts").as_uri()
    created = patiently(lambda: SqlAlchemyStore(sqlite_uri(partial), artifacts), "create its database")
    # A pooled connection would go on writing under the old name.
    created.engine.dispose()
    partial.replace(database)


def check_database(database: Path) -> None:
    """Refuse a database whose schema is not that of the installed MLflow, without changing it.

    Args:
        database: Absolute path of the file.

    Raises:
        TrackingError: If the schema differs or the file is no database; the message says how to recover.
    """
    prepare_environment()
    import mlflow
    from alembic.script import ScriptDirectory

    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations"
    expected = ScriptDirectory(str(migrations)).get_current_head()
    found = _schema_revision(database)
    if found != expected:
        raise TrackingError(
            f"Expected schema {expected} of MLflow {mlflow.__version__} in the tracking database {database}, "
            f"found {found or 'none'}: its creation was interrupted, or another version of MLflow made it. "
            "In the first case move the file away, and a new one is made; in the second copy the file, then "
            f"run `mlflow db upgrade {sqlite_uri(database)}`."
        )


def _schema_revision(database: Path) -> str | None:
    tables_query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as connection:
            if ("alembic_version",) not in connection.execute(tables_query).fetchall():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"Expected a SQLite database at {database}, received a file that is not one: {error}. "
            "Move it away, or name another store."
        ) from error
    return row[0] if row else None
