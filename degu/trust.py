"""How far the results of a study can be trusted: uncertainties, calibration, shifted sequences, explanations.

What figures are drawn from is written to `evaluation/curves.json`. Its rows are `ensemble` and `student`:

* `calibration`: by row and target `expected`, `observed`, `lower`, `upper`, after calibration if there is one;
  `calibration_kind` says so by row, and `calibration_before` has the same curves of the uncertainty as predicted.
* `coverage`: by row, kind (`epistemic`, `aleatoric`, `total`, `total_calibrated`) and target `level`, `coverage`,
  `width`.
* `sparsification`: by row and target `removed`, `error`, `oracle`, `random`.
* `conformal`: rows with `row`, `method`, `target`, `level`, `coverage`, `coverage_low`, `coverage_high`, `rows`,
  `width`, and `bin` of the predicted activity, None for all.
* `shift`: rows with `set`, `row`, `target` and metrics. `consistency`: rows with `row`, `target` and metrics.
* `rows`: how many rows were `calibrated` on and `evaluated`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from degu.config import build
from degu.data import Splits
from degu.ensemble import Ensembler, Prediction, PredictionCache
from degu.errors import CalibrationError, ConfigError, nearest
from degu.evaluation import member_metrics
from degu.evaluation.assessment import Calibrated, assess_uncertainty, calibrate
from degu.evaluation.calibration import METHODS, Calibrator
from degu.evaluation.evidence import Evidence, drawn_for_calibration, evidence_of
from degu.evaluation.explanations import consistency_rows, explain, explanation_consistency, logo_arrays
from degu.evaluation.shift import shift_metrics, shift_rows
from degu.evaluation.shifted_sets import ShiftedSet
from degu.inference.calibration import IntervalCalibration
from degu.metrics import Bootstrap
from degu.results import Answers
from degu.stages import TrainedStudent, new_ensembler
from degu.uncertainty import Spread, row_digests

log = logging.getLogger(__name__)
PREFIX = "test/attribution/"


class Trust(NamedTuple):
    """What `assess` found.

    Attributes:
        metrics: Flat metrics.
        curves: What figures are drawn from; see the module's first lines.
        calibration: Gives new sequences their intervals; None where nothing was calibrated.
        logos: What logos are drawn from, see `degu.evaluation.explanations.logo_arrays`; None where there are none.
    """

    metrics: dict[str, float]
    curves: dict[str, Any]
    calibration: IntervalCalibration | None = None
    logos: dict[str, NDArray] | None = None


def shifted_of(config: DictConfig, splits: Splits) -> list[ShiftedSet]:
    """Return the shifted sets of a study, and refuse settings of the evaluation that would fail after training.

    Raises:
        ConfigError: When a setting cannot be used.
        DataError: When a set cannot be made.
    """
    settings = config.evaluation
    parts = [name for name in ("uncertainty", "calibration", "shift") if settings[name] is not None]
    if parts and not isinstance(build(config.uncertainty), Spread):
        raise ConfigError(
            f"Expected uncertainty to be a degu.uncertainty.Spread for evaluation.{parts[0]}. Received: "
            f"{config.uncertainty.get('_target_')}. Set {', '.join(f'evaluation.{name}=null' for name in parts)}"
        )
    for name in ("uncertainty", "calibration"):
        for level in settings[name].confidence_levels if settings[name] is not None else ():
            if not 0 < level < 1:
                raise ConfigError(
                    f"Expected evaluation.{name}.confidence_levels above 0 and below 1. Received: {level}"
                )
    if settings.calibration is not None:
        _check_calibration(settings.calibration)
    return [] if settings.shift is None else build(settings.shift)(splits, seed=config.seed)


def check_baselines(config: DictConfig, splits: Splits) -> None:
    """Refuse baselines that the members of a study cannot serve as.

    Raises:
        ConfigError: When a name is taken, or a member lacks what a baseline needs.
    """
    baselines = config.evaluation.baselines
    if not baselines:
        return
    taken = sorted({"ensemble", "student", "single_mean", "single_sd"} & set(baselines))
    if taken:
        raise ConfigError(f"Expected names of its own in evaluation.baselines. Received: {', '.join(taken)}")
    if config.evaluation.uncertainty is None:
        raise ConfigError("Expected evaluation.uncertainty for evaluation.baselines. Received: null")
    network = new_ensembler(config, splits.length, splits.num_targets, PredictionCache()).new_network()
    for node in baselines.values():
        build(node).check(network)


def _check_calibration(settings: DictConfig) -> None:
    for method in settings.methods:
        if method not in METHODS:
            raise ConfigError(
                f"There is no method {method!r} (evaluation.calibration.methods).{nearest(method, METHODS)} "
                f"There are: {', '.join(METHODS)}"
            )
    if not 0 < settings.fraction < 1:
        raise ConfigError(
            f"Expected evaluation.calibration.fraction above 0 and below 1. Received: {settings.fraction}"
        )
    if settings.num_bins < 1:
        raise ConfigError(f"Expected evaluation.calibration.num_bins >= 1. Received: {settings.num_bins}")


def assess(
    config: DictConfig,
    splits: Splits,
    sets: Sequence[ShiftedSet],
    ensembler: Ensembler,
    student: TrainedStudent,
    answers: Answers,
) -> Trust:
    """Evaluate whatever the config asks for.

    Args:
        config: The study's config.
        splits: Its data.
        sets: What `shifted_of` returned.
        ensembler: The trained ensemble.
        student: The trained student.
        answers: Their predictions of the validation and test splits.

    Returns:
        Flat metrics, curves by section, see the module's first lines, and the calibration of intervals for new
        sequences, and what logos are drawn from.
    """
    names, settings = splits.target_names, config.evaluation
    predict = _models(ensembler, student)
    metrics: dict[str, float] = {}
    curves: dict[str, Any] = {}
    calibration = logos = None
    if settings.uncertainty is not None:
        others = baselines_of(config, ensembler)
        metrics, curves, calibration, _ = _uncertainty(config, splits, answers, predict, others)
    if sets:
        shift = shift_metrics("test", names, sets, predict, build(config.uncertainty), build(settings.eval_fun))
        metrics, curves = metrics | shift, curves | {"shift": shift_rows(shift)}
    if settings.attribution is not None and settings.attribution.num_sequences:
        members, columns = ensembler.load_members(), student.distiller.columns
        count = settings.attribution.num_sequences
        explained = explain(splits.test, names, members, student.network, columns, count)
        maps = explanation_consistency(explained, PREFIX)
        metrics, curves = metrics | maps, curves | {"consistency": consistency_rows(maps, PREFIX)}
        if num_logos := settings.attribution.get("num_logos"):
            logos = logo_arrays(explained, splits.test.ids, num_logos)
    return Trust(metrics, curves, calibration, logos)


def baselines_of(config: DictConfig, ensembler: Ensembler) -> dict[str, Callable[[NDArray], Prediction]]:
    """Return functions that predict with the baselines of a study, by name; none where the config says null."""
    baselines = config.evaluation.baselines or {}
    return {name: build(node).predictor(ensembler, config.seed) for name, node in baselines.items()}


def _models(ensembler: Ensembler, student: TrainedStudent) -> dict[str, Callable[[NDArray], Prediction]]:
    """Return functions that predict; what they predict is not kept on disk."""

    def ensemble(tokens: NDArray) -> Prediction:
        kept, ensembler.cache = ensembler.cache, PredictionCache()
        try:
            return ensembler.predict(tokens)
        finally:
            ensembler.cache = kept

    return {
        "ensemble": ensemble,
        "student": lambda tokens: student.distiller.predict_student(tokens, student.network),
    }


def _uncertainty(
    config: DictConfig,
    splits: Splits,
    answers: Answers,
    models: Mapping[str, Callable[[NDArray], Prediction]],
    baselines: Mapping[str, Callable[[NDArray], Prediction]],
) -> Trust:
    """Evaluate uncertainties on the test rows, or on those that are not calibrated on."""
    spread, settings, predict = build(config.uncertainty), config.evaluation, {**models, **baselines}
    valid, test = (
        evidence_of(
            split,
            {"ensemble": answers.ensemble[name], "student": answers.student[name]}
            | {row: baseline(split.tokens) for row, baseline in baselines.items()},
            spread,
        )
        for name, split in (("valid", splits.valid), ("test", splits.test))
    )
    evaluated, calibrated, kept = test, None, None
    if settings.calibration is not None:
        try:
            calibration, evaluated = _shared_out(settings.calibration, splits, test, predict, spread)
            calibrated = _calibrated(settings.calibration, splits, valid, calibration, evaluated, spread)
            kept = IntervalCalibration.fit(calibration, spread, splits.target_names)
        except CalibrationError as error:
            log.warning("Nothing is calibrated: %s", error)
            evaluated = test
    found = assess_uncertainty(
        "test",
        splits.target_names,
        evaluated,
        spread,
        calibrated,
        settings.uncertainty.confidence_levels,
        Bootstrap(settings.uncertainty.num_resamples, seed=config.seed) if settings.uncertainty.num_resamples else None,
    )
    rows = {"calibrated": kept.rows if kept else 0, "evaluated": len(evaluated.digests)}
    activity = _baseline_metrics(config, splits, {row: test.predictions[row].mean for row in baselines})
    return Trust(found.metrics | activity, found.curves | {"rows": rows}, kept)


def _baseline_metrics(config: DictConfig, splits: Splits, means: Mapping[str, NDArray]) -> dict[str, float]:
    """Return the activity metrics of the baselines on the whole test split, beside those of ensemble and student."""
    eval_fun, family = build(config.evaluation.eval_fun), config.evaluation.family
    flat = {}
    for row, mean in means.items():
        found = member_metrics(mean, splits.test.targets, eval_fun, splits.target_names, "")
        for key, value in found.items():
            metric, _, target = key.partition("/")
            flat[f"test/{family}/{metric}/{row}/{target}"] = value
    return flat


def _used(splits: Splits) -> dict[str, NDArray[np.str_]]:
    return {"train": row_digests(splits.train.tokens), "valid": row_digests(splits.valid.tokens)}


def _shared_out(
    settings: DictConfig,
    splits: Splits,
    test: Evidence,
    predict: Mapping[str, Callable[[NDArray], Prediction]],
    spread: Spread,
) -> tuple[Evidence, Evidence]:
    """Return rows to calibrate on and rows to evaluate, neither of them known from training."""
    known = np.concatenate(list(_used(splits).values()))
    if splits.calibration is None:
        drawn = drawn_for_calibration(test.digests, settings.fraction, settings.seed)
        new = ~np.isin(test.digests, known)
        calibration, evaluated = test.select(new & drawn), test.select(new & ~drawn)
    else:
        predictions = {row: model(splits.calibration.tokens) for row, model in predict.items()}
        own = evidence_of(splits.calibration, predictions, spread)
        calibration = own.select(~np.isin(own.digests, known))
        evaluated = test.select(~np.isin(test.digests, np.concatenate([known, own.digests])))
    if not len(calibration.digests) or not len(evaluated.digests):
        raise CalibrationError(
            "Expected test sequences that are in neither train nor valid. Received: "
            f"{len(calibration.digests)} to calibrate on and {len(evaluated.digests)} to evaluate"
        )
    return calibration, evaluated


def _calibrated(
    settings: DictConfig, splits: Splits, valid: Evidence, calibration: Evidence, evaluated: Evidence, spread: Spread
) -> Calibrated:
    used = _used(splits)
    calibrators = {
        row: Calibrator(row, valid, calibration, evaluated, used, spread, settings.num_bins)
        for row in evaluated.predictions
    }
    return calibrate(calibrators, settings.methods, settings.confidence_levels)
