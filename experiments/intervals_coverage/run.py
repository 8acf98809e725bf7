"""Count the coverage of intervals over 200 splits of the test rows of finished studies.

    python experiments/intervals_coverage/run.py STUDY [STUDY ...] --output FOLDER

Each STUDY is an output folder of `degu run`. Nothing is trained: the networks predict validation and test rows, and the
test rows are shared out anew for every split. Writes `results.csv`, `coverage.png` and `table.md`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from degu.config import build
from degu.evaluation.calibration import METHODS
from degu.evaluation.evidence import evidence_of
from degu.evaluation.repeated import CONFORMAL, Coverage, coverage_rows, repeated_coverage
from degu.trained import load_study
from degu.uncertainty import row_digests

LEVELS = (0.8, 0.9, 0.95)
SHOWN = ("epistemic", *CONFORMAL)
COLOURS = dict(zip(SHOWN, ("#D55E00", "#E69F00", "#0072B2", "#009E73"), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the count for every study that the command line names."""
    options = _parser().parse_args(arguments)
    found = {Path(folder).name: coverage_of(folder, options) for folder in options.studies}
    options.output.mkdir(parents=True, exist_ok=True)
    rows = [{"study": name, **row} for name, entries in found.items() for row in coverage_rows(entries)]
    _write_csv(options.output / "results.csv", rows)
    (options.output / "table.md").write_text(table(found), encoding="utf-8")
    figure(found).savefig(options.output / "coverage.png", dpi=100)
    sys.stdout.write(table(found))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="output folder of a study")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--splits", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=CONFORMAL, metavar="METHOD")
    parser.add_argument("--seed", type=int, default=0, help="of the splits (default: 0)")
    return parser


def coverage_of(folder: str, options: argparse.Namespace) -> list[Coverage]:
    """Return the coverages of one study."""
    study = load_study(folder, device="cpu")
    spread, splits = study.ensembler.uncertainty_fun, build(study.config.data)
    valid, test = (
        evidence_of(split, {row: study.predict(split.tokens, row) for row in ("ensemble", "student")}, spread)
        for split in (splits.valid, splits.test)
    )
    known = np.concatenate([row_digests(splits.train.tokens), valid.digests])
    test = test.select(~np.isin(test.digests, known))
    return repeated_coverage(
        valid,
        test,
        study.names,
        spread,
        methods=options.methods,
        confidence_levels=LEVELS,
        num_splits=options.splits,
        seed=options.seed,
    )


def table(found: Mapping[str, Sequence[Coverage]]) -> str:
    """Return coverages in percent and widths at 90 % as a Markdown table, and which promises were not kept."""
    lines = [
        "| study: target | model | intervals | 80 % | 90 % | 95 % | width at 90 % | bins at 90 % |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for study, entries in found.items():
        places = {entry[:5]: entry for entry in entries}
        for row, method, target in dict.fromkeys((entry.row, entry.method, entry.target) for entry in entries):
            whole = [places[row, method, target, 0, level] for level in LEVELS]
            bins = [entry for key, entry in places.items() if key[:3] == (row, method, target) and key[3]]
            binned = ", ".join(_percent(entry) for entry in bins if entry.level == 0.9)
            cells = [f"{study}: {target}", row, method, *map(_percent, whole), f"{whole[1].width:.3f}", binned]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_kept(found)]) + "\n"


def _percent(entry: Coverage) -> str:
    return f"{100 * entry.coverage:.1f}{'' if entry.is_kept else '*'}"


def _kept(found: Mapping[str, Sequence[Coverage]]) -> list[str]:
    """Say how many of the promises that conformal intervals make were kept."""
    lines = ["An asterisk marks a mean coverage further from its level than three standard errors.", ""]
    for label, wanted in (
        ("marginal", lambda entry: entry.method in CONFORMAL and not entry.bin),
        ("per bin, Mondrian", lambda entry: entry.method == "conformal_mondrian" and entry.bin),
        ("per bin, one quantile for all bins", lambda entry: entry.method == "conformal_normalized" and entry.bin),
    ):
        entries = [entry for part in found.values() for entry in part if wanted(entry)]
        kept = sum(entry.is_kept for entry in entries)
        ratio = np.mean([entry.sd / entry.expected_sd for entry in entries])
        lines.append(
            f"- {label}: {kept} of {len(entries)} within the error; a split's coverage scatters {ratio:.2f} times as "
            "much as it should."
        )
    return lines


def figure(found: Mapping[str, Sequence[Coverage]]) -> Figure:
    """Draw mean coverage less level, by target and bin, with the range in which a kept promise lies."""
    panels = [(study, target) for study, part in found.items() for target in dict.fromkeys(e.target for e in part)]
    drawn = Figure(figsize=(2.2 + 2.3 * len(panels), 4.2), layout="constrained")
    axes = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (study, target) in zip(axes, panels, strict=True):
        shown = [e for e in found[study] if e.target == target and e.level == 0.9 and e.row == "student"]
        bins = sorted({entry.bin for entry in shown})
        for offset, method in zip(np.linspace(-0.24, 0.24, len(SHOWN)), SHOWN, strict=True):
            entries = [entry for entry in shown if entry.method == method]
            places = np.array([bins.index(entry.bin) for entry in entries]) + offset
            values = np.array([entry.coverage for entry in entries])
            sds = [entry.sd for entry in entries]
            axis.errorbar(places, values, yerr=sds, fmt="o", ms=4, color=COLOURS[method], label=method)
        axis.axhline(0.9, color="#666666", linewidth=1, linestyle="--")
        axis.set_xticks(range(len(bins)), ["all", *(f"bin {index}" for index in bins[1:])])
        axis.set_title(f"{study}\n{target}", fontsize=9)
    axes[0].set_ylabel("coverage of 90 % intervals, student")
    axes[0].set_ylim(0, 1)
    axes[-1].legend(fontsize=7, loc="lower right", frameon=False)
    return drawn


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})


if __name__ == "__main__":
    sys.exit(main())
