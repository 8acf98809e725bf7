"""Put the uncertainties of ensemble and student of finished studies side by side.

    python experiments/real_data/run.py STUDY [STUDY ...] --output FOLDER

Each STUDY is an output folder of `degu run`; nothing is computed anew. Writes `table.md` with, for each study, every
metric of every uncertainty with the student's difference, the shifted sets, and the consistency of explanations.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from degu.metrics import HIGHER_IS_BETTER
from degu.report.study import Study, read_study

KINDS = ("epistemic", "aleatoric", "total", "total_calibrated")
SCORES = (
    "nll",
    "crps",
    "coverage_90",
    "width_90",
    "miscalibration_area",
    "ence",
    "uncertainty_error_spearman",
    "ause",
)
SHIFT = ("normalized_mse", "pearson_r", "epistemic_pearson_r", "epistemic_auroc", "epistemic_std_ratio")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables of every study that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="output folder of a study")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(tables(read_study(Path(folder))) for folder in options.studies) + "\n"
    (options.output / "table.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def tables(study: Study) -> str:
    """Return the tables of one study as Markdown."""
    parts = [
        (["target", "kind", "metric", "ensemble", "student", "student minus ensemble", "student is"], quality(study)),
        (["set", "row", *SHIFT], shifted(study.curves["shift"])),
        (["explanations of", "RMSE of maps", "Pearson r", "cosine"], consistency(study.curves["consistency"])),
    ]
    return f"## {study.folder.name}\n\n" + "\n\n".join(_markdown(head, list(rows)) for head, rows in parts)


def quality(study: Study) -> Iterator[list[str]]:
    """Yield a row for every target, kind of uncertainty and metric."""
    for target in study.targets:
        for kind in KINDS:
            for metric in SCORES:
                prefix = f"test/uncertainty_{kind}/{metric}"
                key = f"{prefix}/student_minus_ensemble/{target}"
                if key in study.metrics:
                    values = [study.metrics[f"{prefix}/{row}/{target}"] for row in ("ensemble", "student")]
                    low, high = (
                        study.metrics[f"{prefix}{end}/student_minus_ensemble/{target}"] for end in ("_low", "_high")
                    )
                    difference = f"{study.metrics[key]:+.3f} ({low:+.3f} to {high:+.3f})"
                    yield [target, kind, metric, *(f"{v:.3f}" for v in values), difference, verdict(metric, low, high)]


def verdict(metric: str, low: float, high: float) -> str:
    """Say whether a difference is clearly to the better or the worse; of coverage and width, which way it goes."""
    if low <= 0 <= high:
        return "not clearly different"
    if metric.startswith(("coverage", "width")):
        return "higher" if low > 0 else "lower"
    return "better" if (low > 0) == HIGHER_IS_BETTER.get(metric, True) else "worse"


def shifted(rows: Sequence[Mapping]) -> Iterator[list[str]]:
    """Yield a row for every set and model, averaged over targets."""
    for row in rows:
        if row["target"] == "mean":
            cells = (f"{row[metric]:.3f}" if metric in row else "–" for metric in SHIFT)
            yield [row["set"], row["row"], *cells]


def consistency(rows: Sequence[Mapping]) -> Iterator[list[str]]:
    """Yield a row for every kind of model, averaged over targets."""
    for row in rows:
        if row["target"] == "mean":
            yield [row["row"].replace("_", " "), *(f"{row[metric]:.4f}" for metric in ("rmse", "pearson", "cosine"))]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    sys.exit(main())
