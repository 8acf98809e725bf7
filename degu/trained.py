"""A study's networks, loaded from its output folder.

The folder's `config.yaml` says how the networks are built, which makes it code: a `_target_` is a function that will
be called. Folders are handed around, so a config that names anything but the parts of degu, keras and evoaug_tf that
studies are made of is refused, unless the user allows more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from degu.config import build, check_targets
from degu.distill import Distiller
from degu.ensemble import Ensembler, Member, Prediction, PredictionCache
from degu.errors import ConfigError, DataError
from degu.inference.calibration import CALIBRATION, IntervalCalibration
from degu.inference.columns import prediction_columns
from degu.inference.files import FilePredictor
from degu.inference.rules import GAUSSIAN, IntervalRule, uncalibrated
from degu.stages import new_ensembler, new_student
from degu.stored import stored_config, trusted
from degu.train.weights import SUFFIX, load_weights
from degu.uncertainty import Spread
from degu.variants import both_strands as both_strand_mean

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainedStudy:
    """A study that can predict.

    Attributes:
        folder: Its output folder.
        config: Its config.
        names: The K target names.
        length: Letters L of a sequence.
        known_range: Epistemic value, by row and target, above which a sequence is outside of what a model knows.
        calibration: Gives intervals to new sequences; None where the study has none.
        ensembler: The ensemble with its members; it keeps no predictions.
    """

    folder: Path
    config: DictConfig
    names: tuple[str, ...]
    length: int
    known_range: dict[str, dict[str, float]]
    calibration: IntervalCalibration | None
    ensembler: Ensembler

    @cached_property
    def _student(self) -> tuple[Distiller, keras.Model]:
        distiller, student = new_student(self.config, self.length, self.ensembler)
        load_weights(student, _existing(self.folder / "weights" / f"student{SUFFIX}"))
        return distiller, student

    @property
    def distiller(self) -> Distiller:
        """Knows the layout of the student's columns."""
        return self._student[0]

    @property
    def student(self) -> keras.Model:
        """The student."""
        return self._student[1]

    def predict(self, tokens: NDArray[np.uint8], row: str) -> Prediction:
        """Predict tokens `(N, L)` with a model, `"ensemble"` or `"student"`."""
        if row == "ensemble":
            return self.ensembler.predict(tokens)
        return self.distiller.predict_student(tokens, self.student)

    def limit(self, row: str) -> NDArray | None:
        """Return the limits of what a model knows, `(K,)`; None where the study did not find them."""
        limits = self.known_range.get(row)
        return None if limits is None else np.array([limits[name] for name in self.names])

    def rule(self, row: str, confidence_level: float = 0.9, method: str | None = None) -> IntervalRule:
        """Return how predictions of a model become intervals.

        Args:
            row: `"ensemble"` or `"student"`.
            confidence_level: Probability that an interval holds a measurement.
            method: One of `degu.inference.METHODS`; None for the study's default of each target. Without a calibration
                that is `gaussian`, whose intervals are not calibrated; a warning in the log says so.

        Raises:
            ConfigError: When level or method do not exist, or the study was not calibrated for the method.
        """
        if self.calibration is not None:
            return self.calibration.rule(row, self.names, confidence_level, method)
        if method not in (None, GAUSSIAN):
            raise ConfigError(
                f"Expected a study with {CALIBRATION} for the interval method {method!r}. Received: {self.folder}, "
                "which has none. Run the study with evaluation.calibration, or ask for the method gaussian"
            )
        log.warning("%s has no %s: intervals are those of the models, not calibrated", self.folder, CALIBRATION)
        return uncalibrated(self.names, confidence_level)

    def columns(self, prediction: Prediction, row: str, rule: IntervalRule) -> dict[str, NDArray]:
        """Return a prediction of a model as columns of a table; see `degu.inference.prediction_columns`."""
        return prediction_columns(prediction, self.names, self._spread, rule, self.limit(row))

    def file_predictor(
        self,
        row: str,
        rule: IntervalRule,
        *,
        both_strands: bool = False,
        stride: int | None = None,
        average: bool = False,
    ) -> FilePredictor:
        """Return what predicts files of any size with a model.

        Args:
            row: `"ensemble"` or `"student"`.
            rule: How intervals are made.
            both_strands: Predict the mean over both strands; see `degu.variants.both_strands`.
            stride: Letters from the start of a window to that of the next; None for sequences of the model's length.
            average: Average the windows of a sequence.

        Raises:
            ConfigError: When the windows make no sense.
        """
        if self.calibration is not None and (both_strands or average):
            log.warning("Intervals are calibrated for single predictions; averages may be covered more or less often")
        predict = partial(self.predict, row=row)
        return FilePredictor(
            both_strand_mean(predict) if both_strands else predict,
            self.length,
            self.names,
            self._spread,
            rule,
            self.limit(row),
            stride,
            average,
        )

    @property
    def _spread(self) -> Spread | None:
        spread = self.ensembler.uncertainty_fun
        return spread if isinstance(spread, Spread) else None


def load_study(folder: str | Path, device: str = "auto", allowed: Sequence[str] = ()) -> TrainedStudy:
    """Load a study from its output folder.

    Args:
        folder: As `degu run` left it: `config.yaml`, `results.json` and `weights`.
        device: What to compute on, see `degu.devices.use_device`; precision is that of the study.
        allowed: Packages beside `degu.allowed.TRUSTED` whose code the config may name.

    Raises:
        DataError: When something is missing in the folder.
        ConfigError: When its config names code of another package, or cannot be used.
    """
    home = Path(folder).expanduser()
    if not home.is_dir():
        raise DataError(f"{home}: expected the output folder of a study, received no such folder.")
    config = stored_config(home, allowed)
    results = _results(_existing(home / "results.json"))
    check_targets(config, trusted(allowed))
    _check_complete(config, home / "config.yaml")
    build(config.device, device=device)
    calibration = IntervalCalibration.load(home)
    ensembler = new_ensembler(config, results.length, len(results.names), PredictionCache(in_memory=0))
    for number in sorted(set(range(results.members + len(results.failed))) - set(results.failed)):
        member = Member.at(_existing(home / "weights" / f"member_{number}{SUFFIX}"))
        ensembler.members.append(replace(member, number=number))
    return TrainedStudy(home, config, results.names, results.length, results.known_range, calibration, ensembler)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(
            f"{path}: expected a file of a finished study, received none. Name the folder that `degu run` wrote to "
            "(output_dir in its last line)."
        )
    return path


class _Results(NamedTuple):
    names: tuple[str, ...]
    length: int
    members: int
    failed: tuple[int, ...]
    known_range: dict[str, dict[str, float]]


def _results(path: Path) -> _Results:
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, received: {error}.") from error
    if not isinstance(results, dict):
        raise DataError(f"{path}: expected the results of a study, received something else. Run the study again.")
    missing = {"data", "targets", "members", "known_range"} - set(results)
    if missing:
        raise ConfigError(f"{path}: expected {sorted(missing)}, received a file without. Run the study again.")
    try:
        limits = {
            row: {str(name): float(limit) for name, limit in by_target.items()}
            for row, by_target in results["known_range"].items()
        }
        names = tuple(str(name) for name in results["targets"])
        failed = tuple(int(number) for number in results.get("failed_members", []))
        return _Results(names, int(results["data"]["length"]), int(results["members"]), failed, limits)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: expected the results of a study, received other values ({error!r}). Run the study again."
        ) from error


def _check_complete(config: DictConfig, path: Path) -> None:
    """Check that a config is that of a study, and not merely YAML."""
    needed = ("seed", "model", "ensemble", "uncertainty", "distill", "device", "data")
    missing = [name for name in needed if config.get(name) is None]
    if missing:
        raise ConfigError(f"{path}: expected the config of a study, received one without {', '.join(missing)}.")
