"""Reads studies back from a tracking store.

A study is a run with the tag ``degu.kind=study``; its children say ``member`` or ``student``. The parent of the studies
of a sweep says ``sweep``.
"""

from __future__ import annotations

import heapq
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degu.errors import TrackingError, nearest
from degu.tracking.backend import patiently
from degu.tracking.protocol import KIND_TAG, OBJECTIVE_TAG, SWEEP_TAG
from degu.tracking.store import connect, locate

if TYPE_CHECKING:
    from mlflow import MlflowClient

SHORTEST_PREFIX = 6
"""Characters of a run's identifier that must be given."""

_PAGE = 1000


class StudySummary(NamedTuple):
    """One line about a study or a sweep.

    Attributes:
        run_id: Identifier of the run.
        name: Name of the run.
        status: ``RUNNING``, ``SCHEDULED``, ``FINISHED``, ``FAILED`` or ``KILLED``.
        started: Start, in UTC.
        duration: Seconds from start to end; `None` while it runs.
        members: Member runs so far; those of a sweep are its studies'.
        objective: Value of the metric that the tag ``degu.objective`` names, if both exist; a sweep's best one.
        data: Tag ``data.name``, or empty.
        device: Tag ``device``, or empty.
        kind: ``study`` or ``sweep``.
        studies: Studies of a sweep by status.
    """

    run_id: str
    name: str
    status: str
    started: datetime
    duration: float | None
    members: int
    objective: float | None
    data: str
    device: str
    kind: str = "study"
    studies: Mapping[str, int] = {}


class ChildRun(NamedTuple):
    """A member or student of a study, or a study of a sweep.

    Attributes:
        run_id: Identifier of the run.
        name: Name of the run.
        kind: ``member``, ``student``, ``study`` or empty.
        status: As in `StudySummary`.
        metrics: Last value of each metric.
        objective: Of a study, as in `StudySummary`.
    """

    run_id: str
    name: str
    kind: str
    status: str
    metrics: dict[str, float]
    objective: float | None = None


class StudyDetail(NamedTuple):
    """All that is recorded about a study.

    Attributes:
        summary: One line about it.
        params: Flat configuration.
        tags: Tags, without those that MLflow keeps for itself.
        metrics: Last value of each metric.
        children: Members by name, then the student.
        artifacts: Paths of all files, relative to the run's artifacts, sorted.
    """

    summary: StudySummary
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    children: list[ChildRun]
    artifacts: list[str]


def list_studies(
    uri: str | None = None, root: str | Path = "mlruns", limit: int = 20, of_sweeps: bool = False
) -> list[StudySummary]:
    """List the latest studies and sweeps, newest first.

    Args:
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.
        limit: Most lines to return.
        of_sweeps: List the studies of sweeps too, each behind its sweep or before it, by time.

    Returns:
        A summary per study or sweep, of all experiments of the store.

    Raises:
        TrackingError: If the store is missing or cannot be used.
    """
    if limit < 1:
        raise TrackingError(f"Expected a limit of at least 1, received {limit}.")
    client = connect(locate(uri, root))
    page = min(limit, _PAGE)
    kinds = [search_runs(client, f"tags.`{KIND_TAG}` = '{kind}'", page) for kind in ("study", "sweep")]
    newest = heapq.merge(*kinds, key=operator.attrgetter("info.start_time"), reverse=True)
    shown = (run for run in newest if of_sweeps or SWEEP_TAG not in run.data.tags or _kind(run) == "sweep")
    return [_summary(run, _children(client, run)) for run in islice(shown, limit)]


def show_study(run_id: str, uri: str | None = None, root: str | Path = "mlruns") -> StudyDetail:
    """Collect what is recorded about one study.

    Args:
        run_id: Identifier of the run, or its first 6 or more characters if no other run shares them.
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.

    Returns:
        The details; those of a member or student if its identifier was given.

    Raises:
        TrackingError: If the store cannot be used, or there is not exactly one such run.
    """
    client = connect(locate(uri, root))
    run = find_run(client, run_id)
    children = _children(client, run)
    return StudyDetail(
        summary=_summary(run, children),
        params=dict(sorted(run.data.params.items())),
        tags={key: value for key, value in sorted(run.data.tags.items()) if not key.startswith("mlflow.")},
        metrics=dict(sorted(run.data.metrics.items())),
        children=children,
        artifacts=sorted(_files(client, run.info.run_id, "")),
    )


def members_of(run_id: str, uri: str | None = None, root: str | Path = "mlruns") -> tuple[str, list[ChildRun]]:
    """Return the run of a study and its members, those that ended well.

    Args:
        run_id: Identifier of a study's run or of one member's, or its first 6 or more characters.
        uri: Tracking URI; `None` for the local store.
        root: Folder of the local store.

    Returns:
        Identifier of the study's run, and its members by name; that member alone if its identifier was given.

    Raises:
        TrackingError: If the store cannot be used, or there is not exactly one such run.
    """
    client = connect(locate(uri, root))
    run = find_run(client, run_id)
    if run.data.tags.get(KIND_TAG) != "member":
        members = [child for child in _children(client, run) if child.kind == "member" and child.status == "FINISHED"]
        return run.info.run_id, members
    study = run.data.tags["mlflow.parentRunId"]
    parent = patiently(lambda: client.get_run(study), "read the study's run")
    return study, [child for child in _children(client, parent) if child.run_id == run.info.run_id]


def search_runs(client: MlflowClient, condition: str, page: int = _PAGE) -> Iterator[Any]:
    """Yield the runs of all experiments that fulfil a condition, newest first."""
    experiments = [item.experiment_id for item in _pages(lambda token: client.search_experiments(page_token=token))]
    yield from _pages(
        lambda token: client.search_runs(
            experiments,
            condition,
            max_results=page,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
    )


def _pages(fetch: Callable[[str | None], Any]) -> Iterator[Any]:
    token = None
    while True:
        found = patiently(partial(fetch, token), "answer a search")
        yield from found
        token = found.token
        if not token:
            return


def find_run(client: MlflowClient, prefix: str) -> Any:
    """Return the run of an identifier, or of its first characters.

    Raises:
        TrackingError: If there is not exactly one.
    """
    if len(prefix) < SHORTEST_PREFIX or not re.fullmatch(r"[0-9A-Za-z]+", prefix):
        raise TrackingError(
            f"Expected a run id or its first {SHORTEST_PREFIX} or more characters, received {prefix!r}."
        )
    found = list(search_runs(client, f"attributes.run_id LIKE '{prefix}%'"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(run.info.run_id for run in found[:5])
        raise TrackingError(f"Expected the beginning of one run id, received {prefix!r}, which fits {names}.")
    studies = {run.info.run_id[: len(prefix)] for run in search_runs(client, f"tags.`{KIND_TAG}` = 'study'")}
    raise TrackingError(
        f"Expected the id of a recorded run, received {prefix!r}.{nearest(prefix, studies)} "
        "`degu runs list` shows those there are."
    )


def _children(client: MlflowClient, run: Any) -> list[ChildRun]:
    found = search_runs(client, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    children = [
        ChildRun(
            run_id=child.info.run_id,
            name=child.info.run_name,
            kind=child.data.tags.get(KIND_TAG, ""),
            status=child.info.status,
            metrics=dict(sorted(child.data.metrics.items())),
            objective=child.data.metrics.get(child.data.tags.get(OBJECTIVE_TAG, "")),
        )
        for child in found
    ]
    return sorted(children, key=lambda child: (child.kind, _natural(child.name)))


def _kind(run: Any) -> str:
    return run.data.tags.get(KIND_TAG, "study")


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which job 10 comes behind job 9."""
    return [(int(digits or 0), letters) for digits, letters in re.findall(r"(\d+)|(\D+)", name)]


def _summary(run: Any, children: list[ChildRun]) -> StudySummary:
    info, tags = run.info, run.data.tags
    return StudySummary(
        run_id=info.run_id,
        name=info.run_name,
        status=info.status,
        started=datetime.fromtimestamp(info.start_time / 1000, UTC),
        duration=None if info.end_time is None else (info.end_time - info.start_time) / 1000,
        members=sum(child.kind == "member" for child in children),
        objective=run.data.metrics.get(tags.get(OBJECTIVE_TAG, "")),
        data=tags.get("data.name", ""),
        device=tags.get("device", ""),
        kind=_kind(run),
        studies=Counter(child.status for child in children if child.kind == "study"),
    )


def _files(client: MlflowClient, run_id: str, folder: str) -> Iterator[str]:
    for entry in patiently(lambda: client.list_artifacts(run_id, folder or None), "list the artifacts"):
        if entry.is_dir:
            yield from _files(client, run_id, entry.path)
        else:
            yield entry.path
