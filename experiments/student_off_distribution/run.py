"""Teach students of finished ensembles in several ways, and see how well they follow them away from the training data.

    python experiments/student_off_distribution/run.py STUDY [STUDY ...] --ways static copies --seeds 3 --output FOLDER

Each STUDY is an output folder of `degu run`, whose members are the teachers; a way is a choice of the config group
`distill`. All students of one study have the same architecture and recipe; a seed decides initial values and the order
of the data. Writes `results.csv` and `table.md`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from degu.config import build, config_dir, groups
from degu.data import Splits
from degu.distill import Distiller
from degu.ensemble import Ensembler, Prediction
from degu.evaluation import shift_metrics
from degu.evaluation.shift import shift_rows
from degu.stages import new_student
from degu.trained import load_study
from degu.trust import shifted_of

SHOWN = ("normalized_mse", "epistemic_pearson_r", "epistemic_auroc", "measured_pearson_r")


def main(arguments: Sequence[str] | None = None) -> int:
    """Teach and compare."""
    options = _parser().parse_args(arguments)
    rows = [row for folder in options.studies for row in students_of(folder, options)]
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    text = table(rows)
    (options.output / "table.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="output folder of a study")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--seeds", type=int, default=3, help="students of each way (default: 3)")
    ways = groups(config_dir())["distill"]
    parser.add_argument("--ways", nargs="+", choices=ways, default=["static", "copies"], metavar="WAY")
    return parser


def students_of(folder: str, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield the shift metrics of every student of one study, averaged over targets."""
    study = load_study(folder, device="cpu")
    splits = build(study.config.data).downsample(**study.config.downsample)
    sets, spread = shifted_of(study.config, splits), study.ensembler.uncertainty_fun
    eval_fun = build(study.config.evaluation.eval_fun)
    for way in options.ways:
        for seed in range(options.seeds):
            config = taught(study.config, way, seed)
            with tempfile.TemporaryDirectory() as home:
                start = time.perf_counter()
                distiller, student, history = teach(config, splits, study.ensembler, Path(home))
                seconds = time.perf_counter() - start
            predict = {"ensemble": study.ensembler.predict, "student": partial(predicted, distiller, student)}
            flat = shift_metrics("test", study.names, sets, predict, spread, eval_fun)
            same = {"study": study.folder.name, "way": way, "seed": seed, "seconds": seconds}
            same["epochs"] = len(history.epoch)
            yield from ({**same, **row} for row in shift_rows(flat) if row["target"] == "mean")


def teach(config: DictConfig, splits: Splits, ensembler: Ensembler, home: Path) -> tuple[Distiller, keras.Model, Any]:
    """Train a student as a study with this config does, without a record."""
    distiller, student = new_student(config, splits.length, ensembler)
    _, history = build(config.distill.teach)(
        distiller,
        splits.train.tokens,
        splits.train.targets,
        student,
        build(config.distill.trainer),
        validation_data=(splits.valid.tokens, splits.valid.targets),
        save_prefix=home / "student",
        seed=config.seed,
    )
    return distiller, student, history


def predicted(distiller: Distiller, student: keras.Model, tokens: NDArray) -> Prediction:
    """Predict with a student."""
    return distiller.predict_student(tokens, student)


def taught(config: DictConfig, way: str, seed: int) -> DictConfig:
    """Return a study's config with another way of teaching; recipe, loss and architecture of the student stay."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        other = compose("config", overrides=[f"distill={way}"]).distill
    for key in ("trainer", "loss", "student"):
        if key in config.distill:
            other[key] = config.distill[key]
    changed = OmegaConf.create(OmegaConf.to_container(config))
    changed.distill, changed.seed = OmegaConf.to_container(other), seed
    return changed


def table(rows: Sequence[dict[str, object]]) -> str:
    """Return means and standard deviations over seeds as a Markdown table, the ensemble's own values beside them."""
    lines = [f"| study: set | row | {' | '.join(SHOWN)} |", f"| --- | --- |{' --- |' * len(SHOWN)}"]
    for study, kind in dict.fromkeys((row["study"], row["set"]) for row in rows):
        here = [row for row in rows if (row["study"], row["set"]) == (study, kind)]
        for label in ("ensemble", *dict.fromkeys(row["way"] for row in here)):
            wanted = "ensemble" if label == "ensemble" else "student"
            chosen = [row for row in here if row["row"] == wanted and label in ("ensemble", row["way"])]
            cells = [_cell([row[metric] for row in chosen if metric in row], label) for metric in SHOWN]
            lines.append(f"| {study}: {kind} | {label} | {' | '.join(cells)} |")
    epochs = {
        (study, way): [(row["epochs"], row["seconds"]) for row in rows if (row["study"], row["way"]) == (study, way)]
        for study, way in dict.fromkeys((row["study"], row["way"]) for row in rows)
    }
    lines += ["", "Epochs and seconds of a student, means over seeds:", ""]
    for (study, way), pairs in epochs.items():
        number, seconds = np.mean(pairs, axis=0)
        lines.append(f"- {study}, {way}: {number:.1f} epochs, {seconds:.0f} s")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[object], label: str) -> str:
    numbers = np.array(values, dtype=np.float64)
    if not len(numbers):
        return "–"
    if label == "ensemble" or len(numbers) < 2:
        return f"{numbers.mean():.3f}"
    return f"{numbers.mean():.3f} ± {numbers.std(ddof=1):.3f}"


if __name__ == "__main__":
    sys.exit(main())
