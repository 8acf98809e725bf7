"""Packages the student at the end of its study and gives it to the tracker."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from degu.data import Splits
from degu.errors import ConfigError, TrackingError
from degu.serving.package import package_student
from degu.stages import TrainedStudent
from degu.tracking import Tracker

log = logging.getLogger(__name__)
_EXAMPLES = 2


def record_student(study: Tracker, folder: Path, student: TrainedStudent, uncertainty_fun: Any, splits: Splits) -> None:
    """Write the student of a finished study into `student`, and record it as a model.

    A student that cannot be exported, such as a subclassed network, is left out with a warning: the study has its
    weights all the same.

    Args:
        study: Tracker bound to the study's run.
        folder: The study's folder, with its results.
        student: The trained student.
        uncertainty_fun: The function whose spread it has learnt.
        splits: The study's data, of which the first test sequences become the model's example.
    """
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    columns, example = student.distiller.columns, splits.test.tokens[:_EXAMPLES]
    try:
        package = package_student(folder, student.network, columns, results, uncertainty_fun, example)
    except ConfigError as error:
        log.warning("The student is not exported, nor logged as a model: %s", error)
        return
    study.artifact(package)
    try:
        study.student(package)
    except TrackingError as error:
        # The study itself is worth more than its student's place in a registry.
        log.error("The student is in %s, but not logged as a model: %s", package, error)
