"""Checks whether a study is what it claims to be: config, weights, data, files, and the numbers that follow."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from degu.config import build
from degu.data import Splits
from degu.errors import DataError, DeguError
from degu.manifest import (
    ROW_DIGESTS,
    Finding,
    changed_config,
    changed_files,
    changed_rows,
    read_manifest,
    read_row_digests,
)
from degu.reproduce.numbers import all_numbers, moved, moved_findings, results_of, side_by_side
from degu.results import EVALUATED, Answers, comparison, known_range
from degu.stages import TrainedStudent
from degu.stored import first_line, moved_places, plain_config, stored_config
from degu.trained import TrainedStudy, load_study
from degu.trust import assess, shifted_of

log = logging.getLogger(__name__)


def check_study(
    folder: Path,
    tolerance: float = 0.0,
    device: str | None = None,
    allowed: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Compare a study with its manifest, and its results with those of its stored weights.

    Nothing is trained: config, files and rows are compared with the digests of the manifest, and the validation and
    test splits are predicted and evaluated again, which must give the numbers of `results.json`. A manifest tells what
    has changed since the study ended; it is no signature, and does not help against someone who rewrites it too.

    Args:
        folder: The study's folder.
        tolerance: Largest difference of a metric that is none.
        device: What to compute on; None for what the study asked for.
        allowed: Packages beside those of degu whose code the config may name.
        places: Files of the config that lie elsewhere now, by their leaf, such as ``{"data.path": "my.tsv"}``.

    Returns:
        What differs; empty for an untouched study.

    Raises:
        DeguError: When the study or its data cannot be read at all, or its config names code that is not allowed.
    """
    manifest, results = read_manifest(folder), results_of(folder)
    log.info("Comparing config, weights and files with %s", folder / "manifest.json")
    differing = changed_config(manifest, plain_config(folder))
    found = differing + changed_files(manifest, folder)
    if differing:
        # What follows from another config says nothing about the study.
        return found
    config = moved_places(stored_config(folder, allowed), places or {})
    try:
        splits = build(config.data).downsample(**config.downsample)
    except DataError as error:
        if _is_absent(config):
            raise
        return [*found, Finding("data", "the whole data set", "data that can be read", str(error))]
    rows = folder / ROW_DIGESTS
    if rows.is_file():
        found += changed_rows(read_row_digests(rows), splits)
    return found + _recomputed(folder, config, splits, results, tolerance, device, allowed)


def _is_absent(config: DictConfig) -> bool:
    path = config.data.get("path")
    return isinstance(path, str) and not Path(path).expanduser().exists()


def _recomputed(
    folder: Path,
    config: DictConfig,
    splits: Splits,
    results: Mapping[str, Any],
    tolerance: float,
    device: str | None,
    allowed: Sequence[str],
) -> list[Finding]:
    """Predict and evaluate with the stored weights, and compare with the results."""
    try:
        study = load_study(folder, device or config.device.get("device", "auto"), allowed)
        log.info("Predicting and evaluating again with the stored weights")
        again = _evaluate(config, splits, study)
    except (DeguError, OmegaConfBaseException) as error:
        # A config of another version of degu may lack what this one asks for.
        return [Finding("metric", "all", "metrics from the stored weights", first_line(error))]
    pairs = side_by_side(all_numbers(results), all_numbers(again))
    return moved_findings(moved(pairs, tolerance))


def _evaluate(config: DictConfig, splits: Splits, study: TrainedStudy) -> dict[str, Any]:
    names, measured = splits.target_names, dict(splits.items())
    answers = Answers(
        {split: study.predict(measured[split].tokens, "ensemble") for split in EVALUATED},
        {split: study.predict(measured[split].tokens, "student") for split in EVALUATED},
    )
    weights = study.folder / "weights" / "student.weights.h5"
    student = TrainedStudent(study.distiller, study.student, weights, keras.callbacks.History())
    trust = assess(config, splits, shifted_of(config, splits), study.ensembler, student, answers)
    metrics = comparison(config, names, measured, answers) | trust.metrics
    again = {"metrics": metrics, "known_range": known_range(names, answers)}
    # As the numbers of results.json: written and read.
    return json.loads(json.dumps(again))
