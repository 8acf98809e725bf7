"""Calls of a tracking store as plain values, so that they can be kept in a file and made later.

Every call can be made twice: measurements carry the time at which they were made, which a store uses to recognise them,
and a new run carries a mark of its own, by which one is found that was created although no answer arrived.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.tracking.backend import patiently
from degu.tracking.models import Registration, log_student
from degu.tracking.recorded import Recorded

if TYPE_CHECKING:
    from mlflow import MlflowClient

UID_TAG = "degu.uid"
"""Tag with the mark of a run."""

PENDING = "pending-"
"""Beginning of the identifier of a run that the store does not know yet; its mark follows."""

Call = Mapping[str, Any]


def make(client: MlflowClient, call: Call, resolve: Callable[[str], str], folder: Path | None = None) -> str:
    """Make a call.

    Args:
        client: The store.
        call: What to do, under `do`, and its arguments.
        resolve: Returns the identifier that the store knows a run by.
        folder: What paths of files start at, unless they are absolute.

    Returns:
        The identifier of the run.

    Raises:
        Unreachable: If the store does not answer.
        TrackingError: If it refuses.
    """
    if call["do"] == "create":
        return _create(client, call, resolve)
    run_id = resolve(call["run"])
    _MAKERS[call["do"]](client, run_id, call, folder or Path())
    return run_id


def _create(client: MlflowClient, call: Call, resolve: Callable[[str], str]) -> str:
    found = _created(client, call) if call.get("again") else None
    if found is not None:
        return found
    tags = {**call["tags"], UID_TAG: call["uid"]}
    if call["parent"]:
        tags["mlflow.parentRunId"] = resolve(call["parent"])
    run = patiently(
        lambda: client.create_run(call["experiment"], start_time=call["time"], run_name=call["name"], tags=tags),
        "create a run",
    )
    return run.info.run_id


def _created(client: MlflowClient, call: Call) -> str | None:
    """Return the run of an earlier attempt whose answer was lost."""
    assert re.fullmatch(r"[0-9a-f]+", call["uid"])
    condition = f"tags.`{UID_TAG}` = '{call['uid']}'"
    found = patiently(lambda: client.search_runs([call["experiment"]], condition), "look for a run")
    return found[0].info.run_id if found else None


def _batch(client: MlflowClient, run_id: str, call: Call, _: Path) -> None:
    from mlflow.entities import Metric, Param, RunTag

    points = call.get("metrics", ())
    if call.get("unsure"):
        # Made while the store could not be asked what the run holds.
        recorded = Recorded.of(patiently(lambda: client.get_run(run_id), "read a run"))
        points = [point for point in points if recorded.lacks(point[0], point[1], point[3])]
    metrics = [Metric(key, float(value), time, step) for key, value, time, step in points]
    params = [Param(key, value) for key, value in call.get("params", ())]
    tags = [RunTag(key, value) for key, value in call.get("tags", ())]
    patiently(
        lambda: client.log_batch(run_id, metrics=metrics, params=params, tags=tags, synchronous=True), call["purpose"]
    )


def _text(client: MlflowClient, run_id: str, call: Call, _: Path) -> None:
    patiently(lambda: client.log_text(run_id, call["text"], call["file"]), f"log {call['file']}")


def _artifact(client: MlflowClient, run_id: str, call: Call, folder: Path) -> None:
    path = folder / call["path"]
    patiently(lambda: client.log_artifact(run_id, str(path), call["to"] or None), f"log the artifact {path}")


def _status(client: MlflowClient, run_id: str, call: Call, _: Path) -> None:
    if "time" in call:
        patiently(lambda: client.set_terminated(run_id, call["status"], end_time=call["time"]), f"end the run {run_id}")
    else:
        patiently(lambda: client.update_run(run_id, status=call["status"]), f"find the run {run_id!r}")


def _model(client: MlflowClient, run_id: str, call: Call, folder: Path) -> None:
    registration = Registration(call["register"], call["alias"])
    log_student(client, run_id, folder / call["path"], registration, bool(call.get("again")))


_MAKERS: dict[str, Callable[[Any, str, Call, Path], None]] = {
    "batch": _batch,
    "text": _text,
    "artifact": _artifact,
    "status": _status,
    "model": _model,
}
