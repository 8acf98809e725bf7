"""Compare the uncertainties of a study of simulated data with the truth.

    python experiments/synthetic_truth/run.py STUDY --output FOLDER

STUDY is an output folder of `degu run experiment=heteroscedastic`, or of another study of `data=synthetic`. The truth
is known: `degu.data.MotifGrammar` gives every sequence a mean and a noise. Writes `results.csv`, `table.md` and
`truth.png`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from degu.config import build
from degu.data import MotifGrammar
from degu.ensemble import Prediction
from degu.errors import ConfigError
from degu.evaluation.calibration import Calibrator
from degu.evaluation.curves import LEVELS
from degu.evaluation.evidence import drawn_for_calibration, evidence_of
from degu.evaluation.truth import error_bins, truth_metrics
from degu.evaluation.uncertainty import predicted_stds
from degu.metrics import calibration_band
from degu.trained import TrainedStudy, load_study
from degu.trust import shifted_of
from degu.uncertainty import Spread, row_digests

ROWS = {"ensemble": "#E69F00", "student": "#0072B2"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare one study with its truth."""
    options = _parser().parse_args(arguments)
    study = load_study(options.study, device="cpu")
    data = study.config.data
    if data._target_ != "degu.data.synthetic":
        raise ConfigError(f"Expected a study of data=synthetic. Received: one of {data._target_}")
    grammar = MotifGrammar(data.length, data.num_targets, data.noise, data.seed)
    tokens = build(data).test.tokens
    truth = grammar.mean(tokens), grammar.noise_sd(tokens)
    predictions = {row: study.predict(tokens, row) for row in ROWS}
    spread = study.ensembler.uncertainty_fun
    found = {row: truth_metrics(answer, spread, *truth, study.names) for row, answer in predictions.items()}
    curves = json.loads((study.folder / "evaluation" / "curves.json").read_text(encoding="utf-8"))
    options.output.mkdir(parents=True, exist_ok=True)
    _write_csv(options.output / "results.csv", found)
    text = table(found, study.names) + calibration_table(curves, isotonic_curves(study)) + shift_table(study, grammar)
    (options.output / "table.md").write_text(text, encoding="utf-8")
    figure(predictions, spread, truth, study.names, curves).savefig(options.output / "truth.png", dpi=90)
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", metavar="STUDY", help="output folder of a study")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    return parser


def table(found: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    """Return the metrics as a Markdown table."""
    head = [f"{row}, {name}" for name in names for row in found]
    lines = [f"| metric | {' | '.join(head)} |", f"| --- |{' --- |' * len(head)}"]
    metrics = dict.fromkeys(key.partition("/")[0] for flat in found.values() for key in flat)
    for metric in metrics:
        cells = [f"{found[row].get(f'{metric}/{name}', np.nan):.3f}" for name in names for row in found]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n"


def isotonic_curves(study: TrainedStudy) -> dict[str, dict[str, dict[str, NDArray]]]:
    """Return the calibration curves of isotonic intervals, calibrated and evaluated on the rows that the study used.

    The recalibration is itself known from a sample, so the band is that of two samples.
    """
    splits, settings = build(study.config.data), study.config.evaluation.calibration
    spread = study.ensembler.uncertainty_fun
    valid, test = (
        evidence_of(split, {row: study.predict(split.tokens, row) for row in ROWS}, spread)
        for split in (splits.valid, splits.test)
    )
    drawn = drawn_for_calibration(test.digests, settings.fraction, settings.seed)
    old, new = test.select(drawn), test.select(~drawn)
    used = {"train": row_digests(splits.train.tokens), "valid": valid.digests}
    band = calibration_band(len(old.digests) * len(new.digests) // len(test.digests))
    found: dict[str, dict[str, dict[str, NDArray]]] = {}
    for row in ROWS:
        intervals = Calibrator(row, valid, old, new, used, spread).intervals("isotonic", LEVELS.tolist())
        holds = [(low <= new.measured) & (new.measured <= high) for low, high in intervals.values()]
        inside = np.array([part.mean(axis=0) for part in holds])
        levels = np.array(list(intervals))
        for index, name in enumerate(study.names):
            curve = {"expected": levels, "observed": inside[:, index], "lower": levels - band, "upper": levels + band}
            found.setdefault(row, {})[name] = curve
    return found


def calibration_table(curves: Mapping, isotonic: Mapping) -> str:
    """Return how far the calibration curves stray from the diagonal, and how far chance would take them."""
    head = "| calibration curve, row: target | farthest from the diagonal | 95 % band | inside |"
    lines = [head, "| --- | --- | --- | --- |"]
    stages = {
        "as predicted": curves["calibration_before"],
        "calibrated variance, normal": curves["calibration"],
        "isotonic": isotonic,
    }
    for label, rows in stages.items():
        for row, targets in rows.items():
            for target, curve in targets.items():
                expected, observed, high = (np.array(curve[part]) for part in ("expected", "observed", "upper"))
                away, band = np.abs(observed - expected).max(), (high - expected).max()
                inside = "yes" if away <= band else "no"
                lines.append(f"| {label}, {row}: {target} | {away:.3f} | {band:.3f} | {inside} |")
    return "\n".join(lines) + "\n\n"


def shift_table(study: TrainedStudy, grammar: MotifGrammar) -> str:
    """Return true error and epistemic standard deviation of unshifted and shifted sequences, averaged over targets."""
    sets = shifted_of(study.config, build(study.config.data))
    head = "| set | row | distance to the truth, rms | epistemic, rms | rank correlation |"
    lines = [head, "| --- | --- | --- | --- | --- |"]
    for part in sets:
        for row in ROWS:
            answer = study.predict(part.tokens, row)
            error = np.abs(answer.mean - grammar.mean(part.tokens))
            epistemic = predicted_stds(answer, study.ensembler.uncertainty_fun)["epistemic"]
            ranks = [stats.spearmanr(one, other).statistic for one, other in zip(epistemic.T, error.T, strict=True)]
            sizes = (np.sqrt(np.mean(np.square(values))) for values in (error, epistemic))
            lines.append(f"| {part.name} | {row} | {' | '.join(f'{v:.3f}' for v in (*sizes, np.mean(ranks)))} |")
    return "\n".join(lines) + "\n"


def figure(
    predictions: Mapping[str, Prediction], spread: Spread, truth: tuple, names: Sequence[str], curves: Mapping
) -> Figure:
    """Draw noise, error and calibration of each target."""
    drawn = Figure(figsize=(9.5, 3.0 * len(names)), layout="constrained")
    for line, (index, name) in zip(drawn.subplots(len(names), 3, squeeze=False), enumerate(names), strict=True):
        for row, answer in predictions.items():
            stds = predicted_stds(answer, spread)
            if "aleatoric" in stds:
                line[0].plot(truth[1][:, index], stds["aleatoric"][:, index], ".", ms=2, color=ROWS[row], label=row)
            bins = error_bins(stds["epistemic"][:, index], answer.mean[:, index] - truth[0][:, index])
            line[1].plot(bins.epistemic, bins.error, "o-", ms=3, color=ROWS[row], label=row)
        _calibration(line[2], curves, name)
        labels = ("true sd of the noise", "aleatoric"), ("epistemic, rms of a tenth", "distance to the truth, rms")
        for axis, (across, up) in zip(line, (*labels, ("expected part", "observed part")), strict=True):
            low, high = min(axis.get_xlim()[0], axis.get_ylim()[0]), max(axis.get_xlim()[1], axis.get_ylim()[1])
            axis.plot([low, high], [low, high], "--", color="#999999", linewidth=1)
            axis.set(xlabel=across, ylabel=up, title=name)
            axis.legend(fontsize=7, frameon=False)
    return drawn


def _calibration(axis: Axes, curves: Mapping, name: str) -> None:
    for key, style in (("calibration_before", ":"), ("calibration", "-")):
        for row, colour in ROWS.items():
            curve = curves[key][row].get(name)
            if curve:
                label = f"{row}, {'calibrated' if style == '-' else 'as predicted'}"
                axis.plot(curve["expected"], curve["observed"], style, color=colour, label=label)
    if curve := curves["calibration"]["student"].get(name):
        axis.fill_between(curve["expected"], curve["lower"], curve["upper"], color="#999999", alpha=0.3, linewidth=0)


def _write_csv(path: Path, found: Mapping[str, Mapping[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "metric", "target", "value"])
        for row, flat in found.items():
            writer.writerows([row, *key.split("/", 1), f"{value:.5g}"] for key, value in flat.items())


if __name__ == "__main__":
    sys.exit(main())
