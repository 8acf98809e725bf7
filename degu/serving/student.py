"""A student that answers DNA strings with columns of numbers, from a folder of its own.

The folder holds no code and nothing pickled: `student.keras` is the network in inference form, `student.json` says what
its columns mean, `calibration.json` how they become intervals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from degu.data.encoding import one_hot, tokenize
from degu.distill.targets import StudentColumns
from degu.ensemble.prediction import Prediction
from degu.errors import DataError
from degu.inference import IntervalCalibration, IntervalRule, prediction_columns, uncalibrated
from degu.uncertainty import Spread

NETWORK = "student.keras"
FACTS = "student.json"
ROW = "student"
CONFIDENCE_LEVEL = 0.9
_FORMAT = 1
_BATCH = 512


@dataclass(frozen=True)
class StudentFacts:
    """What the columns of a student mean.

    Attributes:
        targets: The K target names.
        length: Letters L of a sequence.
        aleatoric: Targets with an aleatoric column, counted from 0.
        spread: Arguments of the `Spread` whose unit the epistemic columns have; None for a function of another kind.
        known_range: Epistemic value by target above which a sequence is outside of what the student knows.
    """

    targets: tuple[str, ...]
    length: int
    aleatoric: tuple[int, ...]
    spread: Mapping[str, Any] | None
    known_range: Mapping[str, float] | None

    def write(self, folder: Path) -> None:
        """Write `student.json`."""
        content = {"format": _FORMAT, **vars(self)}
        (folder / FACTS).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> StudentFacts:
        """Read `student.json`.

        Raises:
            DataError: When it is missing or something else.
        """
        path = folder / FACTS
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError("a file of another version")
            targets, aleatoric = tuple(content["targets"]), tuple(content["aleatoric"])
            return cls(targets, int(content["length"]), aleatoric, content["spread"], content["known_range"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: expected the facts of a student, received: {error!r}.") from error


class ServedStudent:
    """A student that predicts DNA strings.

    Args:
        folder: What `degu.serving.package.write_student` wrote.

    Raises:
        DataError: When something is missing in the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.facts = StudentFacts.read(self.folder)
        self.calibration = IntervalCalibration.load(self.folder)
        if not (self.folder / NETWORK).is_file():
            raise DataError(f"{self.folder / NETWORK}: expected a student, received no such file.")

    @cached_property
    def _network(self) -> Any:
        import keras

        import degu.models  # noqa: F401  (makes the head layers known to Keras)

        return keras.models.load_model(self.folder / NETWORK, compile=False, safe_mode=True)

    def predict(
        self, sequences: Sequence[str], confidence_level: float = CONFIDENCE_LEVEL, method: str | None = None
    ) -> dict[str, NDArray]:
        """Predict DNA strings.

        Args:
            sequences: N strings of L letters A, C, G, T or N.
            confidence_level: Probability that an interval holds a measurement.
            method: How intervals are made, one of `degu.inference.METHODS`; None for the default of each target.

        Returns:
            Columns `(N,)` by name, see `degu.inference.prediction_columns`.

        Raises:
            DataError: When a string has another length or another letter, or there is none.
            ConfigError: When level or method do not exist.
        """
        facts = self.facts
        tokens = self._tokens(sequences)
        rule = self._rule(confidence_level, method)
        outputs = self._network.predict(one_hot(tokens), batch_size=_BATCH, verbose=0)
        prediction = StudentColumns(len(facts.targets), facts.aleatoric).split(outputs)
        spread = None if facts.spread is None else Spread(**facts.spread)
        limit = None if facts.known_range is None else np.array([facts.known_range[name] for name in facts.targets])
        return prediction_columns(prediction, facts.targets, spread, rule, limit)

    def _tokens(self, sequences: Sequence[str]) -> NDArray[np.uint8]:
        rows = list(sequences)
        for row, letters in enumerate(rows):
            if isinstance(letters, str) and letters and len(letters) != self.facts.length:
                raise DataError(
                    f"sequence {row} (counted from 0): expected {self.facts.length} letters, as the student takes, "
                    f"received {len(letters)}."
                )
        return tokenize(rows, where="sequences", name_row=lambda row: f"sequence {row} (counted from 0)")

    def _rule(self, confidence_level: float, method: str | None) -> IntervalRule:
        if self.calibration is None:
            return uncalibrated(self.facts.targets, confidence_level)
        return self.calibration.rule(ROW, self.facts.targets, confidence_level, method)


def example_columns(facts: StudentFacts) -> list[str]:
    """Return the names of the columns that a student predicts, in order."""
    shape = (1, len(facts.targets))
    noise = np.full(shape, np.nan)
    noise[:, list(facts.aleatoric)] = 1.0
    prediction = Prediction(np.zeros(shape), np.ones(shape), noise if facts.aleatoric else None)
    spread = None if facts.spread is None else Spread(**facts.spread)
    limit = None if facts.known_range is None else np.ones(shape[1])
    return list(prediction_columns(prediction, facts.targets, spread, uncalibrated(facts.targets), limit))
