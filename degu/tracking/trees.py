"""The run tree of a study as plain records: read from a store, and written to another."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degu.errors import TrackingError
from degu.tracking.backend import patiently
from degu.tracking.calls import UID_TAG
from degu.tracking.queries import find_run, search_runs
from degu.tracking.store import connect, locate, open_experiment
from degu.tracking.values import chunks

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATUSES = ("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED")
_METRICS_A_CALL = 1000
_PARAMS_A_CALL = 100
_MLFLOWS_OWN = "mlflow."


class Point(NamedTuple):
    """One measurement.

    Attributes:
        name: Name of the metric.
        value: Its value.
        step: Epoch, counted from 0; 0 for a measurement of the run as a whole.
        time: When it was made, in milliseconds since 1970.
    """

    name: str
    value: float
    step: int
    time: int


class RunRecord(NamedTuple):
    """A run with all that is recorded about it but its files.

    Attributes:
        name: Name of the run: that of the study, `member-00` ... or `student`.
        run_id: Its identifier in the store it comes from.
        status: One of `STATUSES`.
        started: Start, in milliseconds since 1970.
        ended: End, likewise; None while it runs.
        params: Flat configuration.
        tags: Tags, without those that MLflow keeps for itself.
        points: Measurements.
    """

    name: str
    run_id: str
    status: str
    started: int
    ended: int | None
    params: dict[str, str]
    tags: dict[str, str]
    points: list[Point]


def read_tree(run_id: str, uri: str | None = None, root: str | Path = "mlruns") -> list[RunRecord]:
    """Read a study's run and those of its members and student.

    Args:
        run_id: Identifier of the study's run, or its first 6 or more characters.
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.

    Returns:
        The study's run first, then the others by name.

    Raises:
        TrackingError: If the store cannot be used, or there is not exactly one such run.
    """
    client = connect(locate(uri, root))
    study = find_run(client, run_id)
    children = search_runs(client, f"tags.`mlflow.parentRunId` = '{study.info.run_id}'")
    return [_record(client, run) for run in (study, *sorted(children, key=lambda run: run.info.run_name))]


def _record(client: MlflowClient, run: Any) -> RunRecord:
    info, data = run.info, run.data
    points = []
    # The public mapping of a run's metrics has no steps; a name whose last step is 0 has one point.
    for metric in sorted(data._metric_objs, key=lambda metric: metric.key):
        series = [metric]
        if metric.step:
            fetch = partial(client.get_metric_history, info.run_id, metric.key)
            series = sorted(patiently(fetch, "read a metric"), key=lambda point: (point.step, point.timestamp))
        points += [Point(point.key, float(point.value), int(point.step), int(point.timestamp)) for point in series]
    tags = {
        key: value for key, value in sorted(data.tags.items()) if not key.startswith(_MLFLOWS_OWN) and key != UID_TAG
    }
    params = dict(sorted(data.params.items()))
    return RunRecord(info.run_name, info.run_id, info.status, info.start_time, info.end_time, params, tags, points)


def write_tree(
    records: Sequence[RunRecord],
    files: Callable[[RunRecord], Iterator[tuple[Path, str]]],
    uri: str | None = None,
    experiment: str = "degu",
    root: str | Path = "mlruns",
) -> dict[str, str]:
    """Record a study in a store as it was recorded in another: same parameters, tags, measurements and times.

    Args:
        records: The study first, then its members and student.
        files: Files and folders of a run, and the folder among its artifacts that each goes to.
        uri: Tracking URI; `None` for the local store.
        experiment: Name of the experiment, created if missing.
        root: Folder of the local store.

    Returns:
        Identifiers of the new runs by name.

    Raises:
        TrackingError: If the store refuses; the runs that were made are deleted then.
    """
    client, experiment_id = open_experiment(locate(uri, root), experiment)
    made: dict[str, str] = {}
    try:
        for record in records:
            parent = {"mlflow.parentRunId": made[records[0].name]} if made else {}
            made[record.name] = _create(client, experiment_id, record, parent)
            _fill(client, made[record.name], record)
            for path, folder in files(record):
                action = partial(client.log_artifact, made[record.name], str(path), folder or None)
                patiently(action, f"log the artifact {path.name}")
        for record in records:
            status = record.status if record.status in STATUSES[:3] else "KILLED"
            patiently(partial(client.set_terminated, made[record.name], status, record.ended), "end a run")
    except BaseException:
        for run_id in made.values():
            with contextlib.suppress(TrackingError):
                patiently(partial(client.delete_run, run_id), "delete a run")
        raise
    return made


def _create(client: MlflowClient, experiment_id: str, record: RunRecord, parent: dict[str, str]) -> str:
    create = partial(
        client.create_run,
        experiment_id,
        start_time=record.started,
        run_name=record.name,
        tags={**record.tags, **parent},
    )
    return patiently(create, "create a run").info.run_id


def _fill(client: MlflowClient, run_id: str, record: RunRecord) -> None:
    from mlflow.entities import Metric, Param

    params = [Param(key, value) for key, value in record.params.items()]
    for part in chunks(params, _PARAMS_A_CALL):
        patiently(partial(client.log_batch, run_id, params=part), "log parameters")
    metrics = [Metric(p.name, _number(p.value), p.time, p.step) for p in record.points]
    for points in chunks(metrics, _METRICS_A_CALL):
        patiently(partial(client.log_batch, run_id, metrics=points), "log metrics")


def _number(value: float) -> float:
    return value if math.isfinite(value) or math.isnan(value) else math.copysign(1.7976931348623157e308, value)
