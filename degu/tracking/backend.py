"""Loads MLflow quietly and calls it patiently."""

from __future__ import annotations

import logging
import os
import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from degu.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Each of these makes MLflow write to another run or experiment than the one it is told.
_MISLEADING = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_CONTEXT")

# MLflow's own seven retries hold a training up for four minutes; two take a few seconds. What a server does not take
# then is kept and sent later, see `degu.tracking.outbox`.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0)

# How MLflow says that there was no answer, or one of the server's own failure.
_NO_ANSWER = re.compile(r"API request to .* failed with (timeout )?exception|API request to .* error code 5\d\d")

# Waiting must not draw from the global generator, which belongs to the training.
_jitter = random.SystemRandom()

T = TypeVar("T")


class Unreachable(TrackingError):
    """A store that does not answer or cannot write now; the same call may succeed later."""


def load_client(uri: str) -> MlflowClient:
    """Build an MLflow client that obeys its argument alone.

    Run and experiment variables of MLflow are removed from the environment, of this process and its later
    children. Telemetry is off and informational log lines are silent unless the environment says otherwise.

    Args:
        uri: Tracking URI.

    Returns:
        A client for tracking and registry at this URI.
    """
    prepare_environment()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def prepare_environment() -> None:
    """Set what MLflow reads when it is imported, without overriding a user's own settings."""
    for name in _MISLEADING:
        os.environ.pop(name, None)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "DO_NOT_TRACK" not in os.environ:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"
        for logger in ("mlflow", "alembic"):
            logging.getLogger(logger).setLevel(logging.WARNING)


def patiently(action: Callable[[], T], purpose: str) -> T:
    """Call a store, again with growing pauses while its database is locked.

    A server that does not answer is not tried again here: MLflow's HTTP layer has already done so.

    Args:
        action: Call without arguments; it must be safe to repeat.
        purpose: What the call does, as in ``"log metrics"``.

    Returns:
        What `action` returns.

    Raises:
        Unreachable: If the store stays locked, cannot write or cannot be reached.
        TrackingError: If it refuses.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    pauses = iter(_BACK_OFF_SECONDS)
    while True:
        try:
            return action()
        except (MlflowException, SQLAlchemyError, OSError) as error:
            pause = next(pauses, None)
            if pause is None or "database is locked" not in str(error):
                kind = Unreachable if _may_pass(error) else TrackingError
                raise kind(f"The tracking store did not {purpose}: {_first_line(error)}") from error
        time.sleep(pause * _jitter.uniform(0.5, 1.5))


def _may_pass(error: Exception) -> bool:
    """Whether an error says that the store is away, and nothing about the call."""
    from sqlalchemy.exc import OperationalError

    if isinstance(error, OSError | OperationalError):
        return True
    if getattr(error, "error_code", "") == "TEMPORARILY_UNAVAILABLE" or "(sqlite3.OperationalError)" in str(error):
        return True
    return re.match(_NO_ANSWER, str(error)) is not None


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
