"""Records runs in MLflow."""

from __future__ import annotations

import contextlib
import copy
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from degu.errors import TrackingError
from degu.tracking.backend import patiently
from degu.tracking.calls import make
from degu.tracking.models import Registration
from degu.tracking.outbox import Outbox
from degu.tracking.pace import Pace
from degu.tracking.recorded import Recorded
from degu.tracking.store import locate, open_experiment
from degu.tracking.values import accepted_names, chunks, flatten

logger = logging.getLogger(__name__)

# Limits of the MLflow REST interface.
_METRICS_A_CALL = 1000
_PARAMS_A_CALL = 100


class MLflowTracker:
    """A tracker that keeps runs in a local MLflow store or on an MLflow server.

    Building one creates the store and the experiment if need be; any number of processes may do so at once.
    Children carry their parent's identifier, so the tree does not depend on which process wrote which run: a
    member elsewhere builds its own tracker from `uri` and `experiment` and enters its run with `attach`.

    A call that fails is repeated while the database is locked or the server does not answer, for some seconds. Then it
    is kept in the study's folder and made later, if `keep_unsent` has named one; otherwise it raises `TrackingError`,
    which ends a training that does not catch it.

    Args:
        uri: Tracking URI; `None` for the local store under `root`. See `degu.tracking.store.locate`.
        experiment: Name of the experiment, created if missing.
        root: Folder of the local store: ``mlflow.db`` and ``artifacts/``.
        student_model: Log the student of every study as an MLflow model.
        register: Name of a registered model that the student becomes a version of; `None` for none.
        alias: Alias that this version gets, such as ``champion``; `None` for none.

    Raises:
        TrackingError: If the store cannot be used; the message says what to do.
    """

    def __init__(
        self,
        uri: str | None = None,
        experiment: str = "degu",
        root: str | Path = "mlruns",
        student_model: bool = True,
        register: str | None = None,
        alias: str | None = None,
    ) -> None:
        if (alias and not register) or (register and not student_model):
            raise TrackingError(
                "Expected tracking.register with tracking.alias, and tracking.student_model=true with "
                f"tracking.register. Received: {student_model=}, {register=}, {alias=}."
            )
        self._registration = Registration(register or "", alias or "")
        self._student_model = student_model
        store = locate(uri, root)
        self.uri = store.uri
        self.experiment = experiment
        self._client, self._experiment_id = open_experiment(store, experiment)
        self._outbox: Outbox | None = None
        self._run_id = ""
        self._waiting: list[Any] = []
        self._recorded = Recorded()
        self._known: dict[str, Recorded] = {}
        self._sent = 0.0
        self._pace = Pace()

    @property
    def run_id(self) -> str:
        """Identifier of the bound run; empty for the root."""
        return self._run_id if self._outbox is None else self._outbox.known(self._run_id)

    def keep_unsent(self, folder: Path) -> None:
        """Keep what the store does not take in a study's folder, and record it later; see `degu.tracking.outbox`.

        Args:
            folder: Folder of the study. What an earlier process has kept there is recorded when the next run begins.
        """
        self._outbox = Outbox(self._client, self.uri, folder)

    @contextmanager
    def start(self, name: str, tags: Mapping[str, str] | None = None) -> Iterator[MLflowTracker]:
        """Create a run, a child if this tracker is bound to one, and yield a tracker bound to it.

        Args:
            name: Name shown for the run.
            tags: Tags of the new run.

        Yields:
            The tracker of the run, which ends as ``FINISHED``, ``FAILED`` or ``KILLED``.

        Raises:
            TrackingError: If the store refuses.
        """
        with self._entered(self._create(name, tags)) as run:
            yield run

    def create(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """Create a run that waits, ``SCHEDULED``, for another process to `attach` to it.

        Args:
            name: Name shown for the run.
            tags: Tags of the new run.

        Returns:
            Identifier of the run.

        Raises:
            TrackingError: If the store refuses.
        """
        run_id = self._create(name, tags)
        self._call({"do": "status", "run": run_id, "status": "SCHEDULED"})
        return run_id

    @contextmanager
    def attach(self, run_id: str) -> Iterator[MLflowTracker]:
        """Enter an existing run and yield a tracker bound to it.

        Measurements that the run has already are not recorded again, so that work which an interruption made
        necessary twice leaves no second points.

        Args:
            run_id: Identifier of the run.

        Yields:
            The tracker of the run, which ends as `start` ends one.

        Raises:
            TrackingError: If there is no such run, or the store refuses.
        """
        self._call({"do": "status", "run": run_id, "status": "RUNNING"})
        with self._entered(run_id, self._recorded_of(run_id)) as run:
            yield run

    def mark(self, run_id: str, values: Mapping[str, str]) -> None:
        """Record or replace tags of another run, which stays as it is otherwise.

        Args:
            run_id: Identifier of the run.
            values: Texts by name.

        Raises:
            TrackingError: If there is no such run, or the store refuses.
        """
        from mlflow.entities import RunTag

        tags = [RunTag(key, str(value)) for key, value in values.items()]
        patiently(lambda: self._client.log_batch(run_id, tags=tags, synchronous=True), f"tag the run {run_id!r}")

    def config(self, frozen: Mapping[str, Any]) -> None:
        """Record a configuration as parameters with dotted names and, whole, as ``config.yaml``.

        Args:
            frozen: Resolved configuration of plain mappings, lists and scalars.

        Raises:
            TrackingError: If it holds other objects, if a parameter was recorded with another value, or if
                the store refuses.
        """
        try:
            text = yaml.safe_dump(dict(frozen), sort_keys=False)
        except yaml.YAMLError as error:
            raise TrackingError(
                f"Expected a configuration of plain mappings, lists and scalars, received {error}"
            ) from error
        for chunk in chunks(accepted_names(flatten(frozen)).items(), _PARAMS_A_CALL):
            self._log_batch("log parameters", params=chunk)
        self._call({"do": "text", "run": self._bound_id(), "text": text, "file": "config.yaml"})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record measurements in one call per thousand.

        Those of an epoch may wait for those of the next ones, for a minute at most and never beyond the end of the run,
        see `degu.tracking.pace`: a call of the store takes milliseconds whatever it carries, which short epochs would
        notice.

        Args:
            values: Numbers by name; NaN is recorded as such, infinity as the largest number. Characters that
                MLflow refuses in names become underscores.
            step: Epoch, counted from 0, or `None` for a measurement of the run as a whole.

        Raises:
            TrackingError: If two names become one or the store refuses.
        """
        self._bound_id()
        now = int(time.time() * 1000)
        at = 0 if step is None else int(step)
        new = self._recorded.new(accepted_names(values), step)
        self._recorded.add(new, at)
        self._waiting += [(key, float(value), now, at) for key, value in new.items()]
        if step is None or self._pace.is_due(self._sent):
            self._send()

    def flush(self) -> None:
        """Send measurements that still wait to be sent.

        Raises:
            TrackingError: If the store refuses.
        """
        self._send()

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """Record a file, or a folder with all it holds.

        Args:
            path: What to copy.
            folder: Where to put it among the run's artifacts.

        Raises:
            TrackingError: If there is nothing at `path` or the store refuses.
        """
        if not Path(path).exists():
            raise TrackingError(f"Expected a file or folder to record, received {str(path)!r}, which does not exist.")
        self._call({"do": "artifact", "run": self._bound_id(), "path": str(path), "to": folder})

    def student(self, package: Path) -> None:
        """Record a student as an MLflow model, and register it if the tracker was told a name.

        Args:
            package: Its folder, see `degu.serving.package.package_student`.

        Raises:
            TrackingError: If the store refuses.
        """
        if self._student_model:
            name, alias = self._registration
            run_id = self._bound_id()
            self._call({"do": "model", "run": run_id, "path": str(package), "register": name, "alias": alias})

    def tags(self, values: Mapping[str, str]) -> None:
        """Record or replace tags of the run.

        Args:
            values: Texts by name.

        Raises:
            TrackingError: If the store refuses.
        """
        for chunk in chunks([(key, str(value)) for key, value in values.items()], _PARAMS_A_CALL):
            self._log_batch("log tags", tags=chunk)

    def _bound_id(self) -> str:
        if not self._run_id:
            raise TrackingError("Expected a tracker bound to a run, received the root. Use `with tracker.start(NAME)`.")
        return self._run_id

    def _send(self) -> None:
        """Send the measurements that wait."""
        waiting, self._waiting, self._sent = self._waiting, [], time.monotonic()
        for chunk in chunks(waiting, _METRICS_A_CALL):
            self._log_batch("log metrics", metrics=chunk, unsure=not self._recorded.is_sure)
        self._pace.add(time.monotonic() - self._sent)

    def _log_batch(self, purpose: str, **entities: Any) -> None:
        self._call({"do": "batch", "run": self._bound_id(), "purpose": purpose, **entities})

    def _recorded_of(self, run_id: str) -> Recorded:
        """Return what a run holds; while the store is away, what this process has recorded in it."""
        if self._outbox is None:
            return Recorded.of(patiently(lambda: self._client.get_run(run_id), f"read the run {run_id!r}"))
        found = self._outbox.read(run_id)
        if found is not None:
            return Recorded.of(found)
        return self._known.get(run_id) or Recorded(is_sure=False)

    def _call(self, call: dict[str, Any]) -> str:
        return make(self._client, call, _as_given) if self._outbox is None else self._outbox.call(call)

    def _create(self, name: str, tags: Mapping[str, str] | None) -> str:
        return self._call(
            {
                "do": "create",
                "uid": uuid.uuid4().hex,
                "experiment": self._experiment_id,
                "name": name,
                "tags": dict(tags or {}),
                "parent": self._run_id,
                "time": int(time.time() * 1000),
            }
        )

    @contextmanager
    def _entered(self, run_id: str, recorded: Recorded | None = None) -> Iterator[MLflowTracker]:
        bound = copy.copy(self)
        bound._recorded = self._known[run_id] = recorded or Recorded()
        bound._run_id, bound._waiting, bound._sent = run_id, [], time.monotonic()
        with contextlib.nullcontext() if self._outbox is None else self._outbox.used():
            try:
                yield bound
            except BaseException as error:
                bound._end_after_error("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
                raise
            bound._end("FINISHED")

    def _end(self, status: str) -> None:
        run_id = self._bound_id()
        try:
            self._send()
        finally:
            self._call({"do": "status", "run": run_id, "status": status, "time": int(time.time() * 1000)})

    def _end_after_error(self, status: str) -> None:
        try:
            self._end(status)
        except TrackingError as error:
            # The error that ended the run matters more than the record of it.
            logger.warning("Run %s is not marked as %s. %s", self._run_id, status, error)


def _as_given(run_id: str) -> str:
    return run_id
