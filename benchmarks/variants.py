"""Effects of a VCF file of 10,000 variants, from the file to the table, by an ensemble, and by its student.

The file, the genome and the weights are drawn; what is timed is `score_variants`, as `degu variants` calls it: reading
and checking every row, both windows of every variant, their predictions, and the table. Nine of ten variants change one
letter, the others are insertions and deletions of up to twelve. "without degu's predictor" is the time of the
predictions alone with `model.predict` of Keras, member by member, on both windows of every variant, encoded beforehand.

    python benchmarks/variants.py --json
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from harness import alternate, announce, environment, median, parser, ratio, report, table

from degu import Distiller, EnsemblerBase, models
from degu.data import one_hot
from degu.ensemble import PredictionCache
from degu.variants import Genome, Scorer, VcfFile, score_variants, windows

GENOME = 2_000_000


def write_genome(path: Path, rng: np.random.Generator) -> str:
    """Write one drawn chromosome and return its letters."""
    letters = "".join(np.array(list("ACGT"))[rng.integers(0, 4, GENOME)])
    path.write_text(">chr1\n" + "\n".join(letters[start : start + 60] for start in range(0, GENOME, 60)) + "\n")
    return letters


def write_vcf(path: Path, letters: str, count: int, rng: np.random.Generator) -> None:
    """Write variants of the chromosome."""
    rows = []
    for start in np.sort(rng.integers(1000, GENOME - 1000, count)).tolist():
        kind, size, ref = rng.integers(20), int(rng.integers(1, 13)), letters[start]
        if kind == 0:
            ref, alt = letters[start : start + 1 + size], ref
        elif kind == 1:
            alt = ref + "".join(rng.choice(list("ACGT"), size))
        else:
            alt = "ACGT"[("ACGT".index(ref) + int(rng.integers(1, 4))) % 4]
        rows.append(f"chr1\t{start + 1}\t.\t{ref}\t{alt}\t.\t.\t.")
    path.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "\n".join(rows) + "\n")


def members(build: Callable[[], keras.Model], count: int, folder: Path) -> list[Path]:
    """Write members with weights of their own."""
    paths = []
    for index in range(count):
        keras.utils.set_random_seed(index)
        paths.append(folder / f"member_{index}.weights.h5")
        build().save_weights(paths[-1])
    return paths


def plain(build: Callable[[], keras.Model], paths: list[Path], x: np.ndarray) -> np.ndarray:
    """Predict both windows of every variant with Keras alone."""
    model, outputs = build(), []
    for path in paths:
        model.load_weights(path)
        outputs.append(model.predict(x, batch_size=512, verbose=0))
    return np.stack(outputs)


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--variants", type=int, default=10_000)
    options.add_argument("--members", type=int, default=5)
    options.add_argument("--length", type=int, default=249, help="bases a window")
    options.add_argument("--model", default="deepstarr", help="an architecture of degu.models")
    options.add_argument("--repeats", type=int, default=3, help="timed calls of each side")
    options.add_argument("--alone", action="store_true", help="leave out the comparison with Keras")
    chosen = options.parse_args()
    found, rng = environment(), np.random.default_rng(0)
    announce(found)
    build = partial(getattr(models, chosen.model), (chosen.length, 4), 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_vcf(folder / "v.vcf", write_genome(folder / "g.fa", rng), chosen.variants, rng)
        ensembler = EnsemblerBase(build, members(build, chosen.members, folder), cache=PredictionCache(in_memory=0))
        student = getattr(models, chosen.model)((chosen.length, 4), 4)
        distiller = Distiller(ensembler)
        predictors: dict[str, Callable] = {
            f"ensemble of {chosen.members}": ensembler.predict,
            "student": lambda tokens: distiller.predict_student(tokens, student),
        }
        sides: dict[str, Callable] = {}
        for label, predict in predictors.items():
            for both in (False, True):
                scorer = Scorer(predict, chosen.length, is_both_strands=both)
                title = f"{label}, {'both strands' if both else 'one strand'}"
                files = folder / "v.vcf", folder / "e.tsv", ("a", "b"), folder / "g.fa"
                sides[title] = partial(score_variants, scorer, *files)
        if not chosen.alone:
            with Genome(folder / "g.fa") as genome:
                pairs = [windows(variant, genome, chosen.length) for variant in VcfFile(folder / "v.vcf")]
            order = {letter: place for place, letter in enumerate("ACGTN")}
            x = one_hot(np.array([[order[c] for c in text] for pair in pairs for text in pair], dtype=np.uint8))
            sides["without degu's predictor, one strand"] = partial(
                plain, build, members(build, chosen.members, folder), x
            )
        seconds = alternate(sides, chosen.repeats)
    first = next(iter(sides))
    rows = [
        [label, median(times), chosen.variants / median(times), str(ratio(seconds, label, first))]
        for label, times in seconds.items()
    ]
    print(f"\n{table([f'{chosen.variants} variants', 'seconds', 'variants/s', 'times the first'], rows)}", flush=True)
    result: dict[str, Any] = {
        label: {"seconds": times, "over_first": ratio(seconds, label, first)._asdict()}
        for label, times in seconds.items()
    }
    report(chosen, result, found)


if __name__ == "__main__":
    main()
