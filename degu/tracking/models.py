"""Students as MLflow models: made, logged with a run, registered."""

from __future__ import annotations

import json
import logging
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degu.errors import TrackingError
from degu.tracking.backend import patiently, prepare_environment
from degu.tracking.store import connect, locate

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

LOADER = "degu.serving.loader"
"""Module that MLflow imports to load a student: installed code, none that is stored with the model."""

MODEL_TAG = "degu.model_id"
"""Tag of a registered version: the logged model that it is."""

_NAME = "student-model"
"""Not the name of a folder of artifacts: MLflow would list the two as one, from whatever store is its global one."""
_PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+-]+")


class Registration(NamedTuple):
    """Where a student is registered.

    Attributes:
        name: Name of the registered model; empty for none.
        alias: Alias that its new version gets, such as `champion`; empty for none.
    """

    name: str = ""
    alias: str = ""


def bad_request(message: str) -> Exception:
    """Return an error that an MLflow server answers with status 400 and the message."""
    prepare_environment()
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    return MlflowException(message, error_code=INVALID_PARAMETER_VALUE)


def save_model(package: Path, target: Path, **mlflow_model: Any) -> Path:
    """Write the folder of a student as an MLflow model.

    Args:
        package: What `degu.serving.package.package_student` wrote.
        target: New folder.
        **mlflow_model: Arguments of `mlflow.models.Model`.

    Returns:
        The folder: `MLmodel` with signature, example, requirements, and the student's files under `data`.
    """
    prepare_environment()
    import pandas as pd

    example = pd.DataFrame(json.loads((package / "example.json").read_text(encoding="utf-8")))
    requirements = _requirements(package / "requirements.txt")
    with warnings.catch_warnings():
        # MLflow's advice on type hints, to itself, and on deprecated helpers; none of it concerns the user.
        warnings.simplefilter("ignore")
        from mlflow import pyfunc
        from mlflow.models import Model

        pyfunc.save_model(
            target,
            loader_module=LOADER,
            data_path=str(package),
            mlflow_model=Model(**mlflow_model),
            signature=_signature(package),
            input_example=example,
            pip_requirements=requirements,
        )
    return target


def _requirements(path: Path) -> list[str]:
    """Read pins; a student of somebody else may not say where packages come from."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if not _PIN.fullmatch(line):
            raise TrackingError(f"{path}: expected lines of the form name==version, received {line[:60]!r}.")
    return lines


def _signature(package: Path) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    card = _card(package)
    outputs = [
        ColSpec(DataType.boolean if column["column"].endswith("_out_of_range") else DataType.double, column["column"])
        for column in card["output"]
    ]
    params = [
        ParamSpec("confidence_level", DataType.double, 0.9),
        # An empty text is the default method of each target; MLflow has no optional parameters.
        ParamSpec("method", DataType.string, ""),
    ]
    return ModelSignature(Schema([ColSpec(DataType.string, "sequence")]), Schema(outputs), ParamSchema(params))


def _card(package: Path) -> dict[str, Any]:
    import yaml

    return yaml.safe_load((package / "model_card.yaml").read_text(encoding="utf-8"))


def log_student_of(run_id: str, package: Path, uri: str | None = None, root: str | Path = "mlruns") -> str:
    """Log a student as the model of a run that has ended; arguments of the store as for `degu.tracking.MLflowTracker`.

    Raises:
        TrackingError: If the store cannot be used or refuses.
    """
    return log_student(connect(locate(uri, root)), run_id, package, Registration(), again=False)


def log_student(client: MlflowClient, run_id: str, package: Path, registration: Registration, again: bool) -> str:
    """Log a student as the model of a run, and register it on request.

    Args:
        client: The store.
        run_id: The study's run.
        package: The student's folder.
        registration: Where to register it.
        again: Whether an earlier attempt may have been made, whose answer was lost.

    Returns:
        Identifier of the logged model.

    Raises:
        Unreachable: If the store does not answer.
        TrackingError: If it refuses.
    """
    run = patiently(lambda: client.get_run(run_id), "read a run")
    model_id = _logged(client, run) if again else None
    if model_id is None:
        model_id = _log(client, run, package)
    if registration.name:
        _register(client, run_id, model_id, package, registration)
    return model_id


def _logged(client: MlflowClient, run: Any) -> str | None:
    condition = f"source_run_id = '{run.info.run_id}' AND name = '{_NAME}' AND status = 'READY'"
    found = patiently(
        lambda: client.search_logged_models([run.info.experiment_id], filter_string=condition), "look for a model"
    )
    return found[0].model_id if found else None


def _log(client: MlflowClient, run: Any, package: Path) -> str:
    from mlflow.entities import LoggedModelOutput

    run_id = run.info.run_id
    model = patiently(
        lambda: client.create_logged_model(
            run.info.experiment_id, _NAME, source_run_id=run_id, model_type="degu student"
        ),
        "create a model",
    )
    patiently(lambda: client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)]), "link a model to its run")
    with tempfile.TemporaryDirectory() as place:
        facts = {"artifact_path": model.artifact_location, "model_uuid": model.model_id, "model_id": model.model_id}
        local = save_model(package, Path(place) / "model", run_id=run_id, **facts)
        patiently(lambda: client.log_model_artifacts(model.model_id, str(local)), "log a model")
    patiently(lambda: client.finalize_logged_model(model.model_id, "READY"), "finish a model")
    return model.model_id


def _register(client: MlflowClient, run_id: str, model_id: str, package: Path, registration: Registration) -> None:
    name = registration.name
    known = patiently(lambda: client.search_registered_models(f"name = '{name}'"), "look for a registered model")
    if not known:
        patiently(lambda: client.create_registered_model(name), "register a model")
    found = patiently(lambda: client.search_model_versions(f"name = '{name}'"), "look for versions of a model")
    version = next((item for item in found if item.tags.get(MODEL_TAG) == model_id), None)
    if version is None:
        # `models:/<id>` would be looked up in the process's global tracking store, whatever store the client is of.
        source = patiently(lambda: client.get_logged_model(model_id), "read a model").artifact_location
        text = (package / "model_card.md").read_text(encoding="utf-8")
        version = patiently(
            lambda: client.create_model_version(name, source, run_id, {MODEL_TAG: model_id}, description=text),
            "register a version of a model",
        )
    if registration.alias:
        patiently(lambda: client.set_registered_model_alias(name, registration.alias, version.version), "set an alias")
    log.info("Registered as version %s of %s", version.version, name)
