"""The interval calibration that a study keeps, so that new sequences get intervals too.

It is fitted on the rows that the study's evaluation calibrated on, so the coverage and width that the report states for
a method are those of the intervals that new sequences get.

Three methods are kept. Which one is the default of a target depends on what the model predicts of it:

* `conformal_normalized` where there is an aleatoric column. The standard deviation is a total one then, and intervals
  as wide as it says are narrow for sequences that are measured well.
* `conformal_absolute` where there is none. Disagreement of members says nothing of the measurement noise, which is most
  of the error; scaled up until it covers the noise, it gives intervals that are far too wide for some sequences and too
  narrow for others, and wider on average (in `experiment=smoke`, ensemble, 90 %: 4.4 against 3.0).
* `variance_scaling`, a normal distribution with a scaled standard deviation, is never the default: it promises nothing
  where errors are not normally distributed.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from degu.errors import ConfigError, DataError
from degu.evaluation.evidence import Evidence, own_std
from degu.inference.rules import GAUSSIAN, METHODS, IntervalRule, check_rule, normal_width
from degu.uncertainty import InfiniteIntervalWarning, Spread
from degu.uncertainty.conformal import conformal_quantile, rows_needed

CALIBRATION = "calibration.json"
"""Name of the file in a study's folder."""
LEVELS = (*(percent / 100 for percent in range(1, 100)), 0.995, 0.999)
"""Confidence levels that quantiles are kept for."""
_FORMAT = 1


@dataclass(frozen=True)
class TargetCalibration:
    """The calibration of one model and target.

    Attributes:
        rows: Calibration rows on which the target was measured.
        default: The method that is used unless another is asked for.
        conformal_absolute: Quantile of the absolute residuals for each of `LEVELS`, in the unit of the target; None
            where there are too few rows.
        conformal_normalized: The same of residuals in predicted standard deviations.
        variance_scaling: Factor of the predicted standard deviation.
    """

    rows: int
    default: str
    conformal_absolute: tuple[float | None, ...]
    conformal_normalized: tuple[float | None, ...]
    variance_scaling: float


@dataclass(frozen=True)
class IntervalCalibration:
    """What a study knows about the errors of its models, on rows that nothing else has used.

    Attributes:
        rows: How many rows were calibrated on.
        digest: SHA-256 of their digests in increasing order, one a line.
        models: By row of the study's tables (`ensemble`, `student`) and target.

    Example:
        >>> import numpy as np
        >>> from degu.ensemble import Prediction
        >>> from degu.uncertainty import row_digests, std
        >>> y = np.arange(20.0)[:, None]
        >>> prediction = Prediction(0 * y, np.ones_like(y))
        >>> kept = IntervalCalibration.fit(Evidence(y, {"student": prediction}, row_digests(y)), std, ["Dev"])
        >>> kept.rule("student", ["Dev"], 0.9).interval([[1.0]], [[1.0]]).upper
        array([[19.]])
    """

    rows: int
    digest: str
    models: Mapping[str, Mapping[str, TargetCalibration]]

    @classmethod
    def fit(cls, evidence: Evidence, spread: Spread, names: Sequence[str]) -> IntervalCalibration:
        """Fit on rows that neither training nor early stopping has seen.

        Args:
            evidence: The rows with the predictions of each model.
            spread: The uncertainty function whose unit the epistemic columns have.
            names: The K target names.
        """
        models = {
            row: {
                name: _fit(
                    evidence.measured[:, column],
                    np.asarray(prediction.mean, dtype=np.float64)[:, column],
                    own_std(prediction, spread)[:, column],
                    prediction.aleatoric is not None and not np.isnan(prediction.aleatoric[:, column]).any(),
                )
                for column, name in enumerate(names)
            }
            for row, prediction in evidence.predictions.items()
        }
        content = "\n".join(sorted(evidence.digests.tolist()))
        return cls(len(evidence.digests), hashlib.sha256(content.encode()).hexdigest(), models)

    def rule(
        self, row: str, names: Sequence[str], confidence_level: float = 0.9, method: str | None = None
    ) -> IntervalRule:
        """Return how predictions of a model become intervals.

        Args:
            row: The model, `"ensemble"` or `"student"`.
            names: The K target names, in the order of the predictions.
            confidence_level: Probability that an interval holds a measurement; one of `LEVELS`, unless the method is
                `variance_scaling` or `gaussian`.
            method: One of `METHODS`; None for the default of each target.

        Returns:
            The rule. Half widths are infinite, with an `InfiniteIntervalWarning`, for a target with too few calibration
            rows for the level.

        Raises:
            ConfigError: When there is no such method, or no quantile at this level.
        """
        check_rule(confidence_level, method)
        if row not in self.models or any(name not in self.models[row] for name in names):
            known = "; ".join(f"{model}: {', '.join(targets)}" for model, targets in self.models.items())
            raise ConfigError(f"Expected a calibration of {row} for {', '.join(names)}. Received: one of {known}")
        kept = [self.models[row][name] for name in names]
        methods = tuple(method or target.default for target in kept)
        halves = [_half(target, chosen, confidence_level) for target, chosen in zip(kept, methods, strict=True)]
        for name, target, half in zip(names, kept, halves, strict=True):
            if math.isinf(sum(half)):
                warnings.warn(
                    f"Intervals of {name!r} are infinite: confidence level {confidence_level:g} needs "
                    f"{rows_needed(confidence_level)} calibration rows, the study has {target.rows}. Ask for a lower "
                    "level, or for the method variance_scaling",
                    InfiniteIntervalWarning,
                    stacklevel=2,
                )
        absolute, relative = np.array(halves).T
        return IntervalRule(confidence_level, methods, absolute, relative)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        models = {row: {name: asdict(kept) for name, kept in targets.items()} for row, targets in self.models.items()}
        return {
            "format": _FORMAT,
            "calibrated_on": {"rows": self.rows, "digest": self.digest},
            "confidence_levels": list(LEVELS),
            "models": models,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = CALIBRATION) -> IntervalCalibration:
        """Rebuild from `to_dict`.

        Args:
            values: The content of a file.
            where: The file, for messages.

        Raises:
            DataError: When it is something else.
        """
        try:
            if values["format"] != _FORMAT or values["confidence_levels"] != list(LEVELS):
                raise DataError(f"{where}: expected a calibration of format {_FORMAT}, received {values['format']!r}.")
            models = {
                row: {name: TargetCalibration(**_checked(kept)) for name, kept in targets.items()}
                for row, targets in values["models"].items()
            }
            return cls(int(values["calibrated_on"]["rows"]), str(values["calibrated_on"]["digest"]), models)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{where}: expected the calibration of a study, received something else ({error!r}). "
                "Run the study again, or remove the file to get intervals without calibration."
            ) from error

    @classmethod
    def load(cls, folder: Path) -> IntervalCalibration | None:
        """Read the calibration of a study's folder; None where the study has none.

        Raises:
            DataError: When the file is no calibration.
        """
        path = folder / CALIBRATION
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}: expected JSON, received: {error}.") from error
        return cls.from_dict(values, str(path))


def _fit(measured: NDArray, mean: NDArray, std: NDArray, has_noise: bool) -> TargetCalibration:
    known = np.isfinite(measured)
    error = np.abs(measured[known] - mean[known])
    relative = error / std[known]

    def quantiles(scores: NDArray) -> tuple[float | None, ...]:
        ordered = np.sort(scores)
        found = (conformal_quantile(ordered, level) for level in LEVELS)
        return tuple(None if math.isinf(value) else value for value in found)

    return TargetCalibration(
        rows=int(known.sum()),
        default="conformal_normalized" if has_noise else "conformal_absolute",
        conformal_absolute=quantiles(error),
        conformal_normalized=quantiles(relative),
        variance_scaling=float(np.sqrt(np.mean(relative**2))),
    )


def _half(kept: TargetCalibration, method: str, confidence_level: float) -> tuple[float, float]:
    """Return the absolute and the relative half width."""
    if method == GAUSSIAN:
        return 0.0, normal_width(confidence_level)
    if method == "variance_scaling":
        return 0.0, normal_width(confidence_level) * kept.variance_scaling
    quantile = getattr(kept, method)[_place(confidence_level)]
    width = math.inf if quantile is None else float(quantile)
    return (width, 0.0) if method == "conformal_absolute" else (0.0, width)


def _place(confidence_level: float) -> int:
    for place, level in enumerate(LEVELS):
        if abs(level - confidence_level) < 1e-9:
            return place
    raise ConfigError(
        f"Expected a confidence level that studies are calibrated for: whole percents from 0.01 to 0.99, 0.995 or "
        f"0.999. Received: {confidence_level:g}"
    )


def _checked(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of one target, with types that arithmetic can rely on."""
    fields = dict(kept)
    for method in ("conformal_absolute", "conformal_normalized"):
        fields[method] = tuple(None if value is None else float(value) for value in fields[method])
        if len(fields[method]) != len(LEVELS):
            raise ValueError(f"{len(fields[method])} quantiles of {method}")
    if fields["default"] not in METHODS:
        raise ValueError(f"default {fields['default']!r}")
    fields["variance_scaling"], fields["rows"] = float(fields["variance_scaling"]), int(fields["rows"])
    return fields
