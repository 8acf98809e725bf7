"""Look for the motifs that an activity is known to depend on in the attribution maps of a study.

    python experiments/known_motifs/run.py STUDY [STUDY ...] --output FOLDER [--shown 40] [--logos NAME ...]

Each STUDY is an output folder of `degu run` on data with known motifs (`data.motifs`). Corrected saliency maps of
members and student, of the most active test sequences of every target, are compared inside and outside of places that
match a motif on either strand. Writes `results.csv` and `table.md`, and for each study named in --logos a logo of the
stretch of an active sequence in which the motifs stand out the most.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from degu.attribution import logo_figure, of_sequence
from degu.config import build
from degu.data import one_hot
from degu.evaluation.explanations import Explained, explain
from degu.evaluation.motifs import motif_places
from degu.report.logo_pictures import richest_stretch
from degu.trained import TrainedStudy, load_study


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and draw."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    rows = [row for folder in options.studies for row in _of_study(load_study(folder, device="cpu"), options)]
    with (options.output / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    head = list(rows[0])
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(f'{v:.2f}' if isinstance(v, float) else str(v) for v in row.values())} |" for row in rows]
    text = "\n".join(lines) + "\n"
    (options.output / "table.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="output folder of a study")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--sequences", type=int, default=200, help="most active ones of every target (default: 200)")
    parser.add_argument("--shown", type=int, default=40, help="letters of a logo (default: 40)")
    parser.add_argument("--logos", nargs="*", default=[], metavar="NAME", help="studies that get a logo")
    return parser


def _of_study(study: TrainedStudy, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    splits = build(study.config.data)
    members, columns = study.ensembler.load_members(), study.distiller.columns
    for part in explain(splits.test, study.names, members, study.student, columns, options.sequences):
        maps = {
            "ensemble": own(part.members.mean(axis=0), part.tokens),
            "single": np.stack([own(member, part.tokens) for member in part.members]),
            "student": own(part.student, part.tokens),
        }
        for motif in splits.motifs:
            places = motif_places(part.tokens, [motif], None)
            if places.any():
                yield {
                    "study": study.folder.name,
                    "target": part.target,
                    "motif": motif,
                    "sequences with it": int(places.any(axis=1).sum()),
                    **{row: contrast(values, places) for row, values in maps.items()},
                }
        if study.folder.name in options.logos:
            name = f"{study.folder.name}_{part.target}.png"
            draw(part, splits.motifs, options.shown).savefig(options.output / name, dpi=80)


def own(maps: NDArray, tokens: NDArray) -> NDArray:
    """Return contributions of the sequences' own letters, `(n, L)`."""
    return of_sequence(maps, tokens).sum(axis=-1)


def contrast(values: NDArray, places: NDArray[np.bool_]) -> float:
    """Return the mean absolute contribution `(..., n, L)` inside of places over that outside of them.

    Sequences without a place are left out.
    """
    size, rows = np.abs(values), places.any(axis=1)
    inside = size[..., rows, :][..., places[rows]].mean()
    return float(inside / size[..., rows, :][..., ~places[rows]].mean())


def draw(part: Explained, motifs: Sequence[str], shown: int) -> object:
    """Draw the stretch, of all sequences, in which places of motifs have the largest contributions."""
    places = motif_places(part.tokens, motifs, None)
    mean, student = own(part.members.mean(axis=0), part.tokens), own(part.student, part.tokens)
    row = int((np.abs(mean) * places).sum(axis=1).argmax())
    start, stop = richest_stretch(mean[row] * places[row], shown)
    letters = one_hot(part.tokens[row])[start:stop]
    rows = {"ensemble": mean[row], "student": student[row]}
    spread = own(part.members, part.tokens)[:, row].std(axis=0, ddof=1)[start:stop]
    marked = {}
    for motif in motifs:
        inside = np.flatnonzero(motif_places(part.tokens[row : row + 1], [motif], None)[0])
        for stretch in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
            if len(stretch) and stretch[0] >= start and stretch[-1] < stop:
                marked[motif] = int(stretch[0]), int(stretch[-1]) + 1
    return logo_figure(
        {name: values[start:stop, None] * letters for name, values in rows.items()},
        {"sd over members": spread},
        title=part.target,
        start=start,
        marked=marked,
    )


if __name__ == "__main__":
    sys.exit(main())
