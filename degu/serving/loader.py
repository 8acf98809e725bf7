"""What MLflow calls to load a student; the model's MLmodel file names this module, so that nothing is pickled."""

from __future__ import annotations

from typing import Any

import pandas as pd

from degu.errors import DeguError
from degu.serving.student import CONFIDENCE_LEVEL, ServedStudent


class PyFuncStudent:
    """A student with the interface of MLflow's Python functions.

    Args:
        folder: Its folder.
    """

    def __init__(self, folder: str) -> None:
        self.student = ServedStudent(folder)

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict the column `sequence` of a table.

        Args:
            model_input: A pandas frame with a column `sequence` of DNA strings.
            params: `confidence_level` and `method` of the intervals.

        Returns:
            A pandas frame with a row for each sequence.

        Raises:
            MlflowException: With the message of a `DeguError` and the status of a bad request, when a sequence cannot
                be predicted.
        """
        from degu.tracking.models import bad_request

        chosen = params or {}
        try:
            columns = self.student.predict(
                _flat(model_input["sequence"].tolist()),
                float(chosen.get("confidence_level", CONFIDENCE_LEVEL)),
                chosen.get("method") or None,
            )
        except DeguError as error:
            raise bad_request(str(error)) from error
        return pd.DataFrame(columns)


def _flat(rows: list[Any]) -> list[Any]:
    """Return one entry a sequence: of `{"sequence": [...]}` MLflow makes one row with a list."""
    return [entry for row in rows for entry in (row if isinstance(row, list) else [row])]


def _load_pyfunc(path: str) -> PyFuncStudent:
    return PyFuncStudent(path)
