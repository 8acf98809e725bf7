"""Speed and memory of predicting a file, as `degu predict` does: FASTA in, TSV out, read and checked before.

Each case runs in a process of its own: the student and the ensemble, each on a file of a quarter of the sequences and
on the whole. "read" is reading and checking alone. Peak memory is that of the whole process (VmHWM); "over quarter" is
how much more of it the whole file takes. Networks have drawn weights: they are as fast as trained ones.

    python benchmarks/predict_files.py --json
    python benchmarks/predict_files.py --sequences 20000 --model deepstarr --length 249
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import MEGABYTE, announce, environment, measured, parser, report, table

ROWS = ("student", "ensemble")


def write_fasta(path: Path, sequences: int, length: int) -> None:
    """Write random sequences, a chunk at a time."""
    from degu.data import detokenize

    generator = np.random.default_rng(0)
    with path.open("w") as file:
        for first in range(0, sequences, 10_000):
            tokens = generator.integers(0, 4, (min(10_000, sequences - first), length), dtype=np.uint8)
            file.writelines(f">s{first + row}\n{text}\n" for row, text in enumerate(detokenize(tokens)))


def case(options: argparse.Namespace) -> dict[str, float]:
    """Predict a file with a model in this process."""
    from degu import Distiller, EnsemblerBase, models
    from degu.ensemble import PredictionCache
    from degu.inference import FilePredictor, open_sequences, uncalibrated
    from degu.inference.windows import Windows
    from degu.uncertainty import std

    build = partial(getattr(models, options.model), (options.length, 4))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for member in range(options.members):
            paths.append(Path(folder) / f"member_{member}.weights.h5")
            build(2).save_weights(paths[-1])
        ensembler = EnsemblerBase(partial(build, 2), paths, cache=PredictionCache(in_memory=0))
        distiller, student = Distiller(ensembler), build(4)
        predict = {
            "ensemble": ensembler.predict,
            "student": lambda tokens: distiller.predict_student(tokens, student),
        }[options.row]
        names = ["a", "b"]
        predictor = FilePredictor(predict, options.length, names, std, uncalibrated(names))
        file = open_sequences(options.file)
        start = time.perf_counter()
        for _ in Windows(options.length).rows(file):
            pass
        read = time.perf_counter() - start
        summary = predictor.write(file, Path(folder) / "out.tsv")
        whole = time.perf_counter() - start - read
    return {"sequences": summary.rows, "read": read, "seconds": whole}


def main() -> None:
    """Measure, print and store."""
    made = parser(__doc__)
    made.add_argument("--sequences", type=int, default=1_000_000)
    made.add_argument("--length", type=int, default=100, help="bases a sequence")
    made.add_argument("--model", default="small_cnn", help="an architecture of degu.models")
    made.add_argument("--members", type=int, default=5)
    made.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    made.add_argument("--row", help=argparse.SUPPRESS)
    made.add_argument("--file", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.row:
        print(json.dumps(case(options)))
        return
    found = environment()
    announce(found)
    result: dict[str, Any] = {}
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"quarter": options.sequences // 4, "whole": options.sequences}
        for name, size in sizes.items():
            write_fasta(Path(folder) / f"{name}.fa", size, options.length)
        for row in options.rows:
            for name in sizes:
                command = [sys.executable, __file__, "--row", row, "--file", f"{folder}/{name}.fa"]
                for key in ("length", "model", "members"):
                    command += [f"--{key}", str(getattr(options, key))]
                done = measured(command)
                if done.code:
                    sys.exit(f"The case {row}, {name} failed with status {done.code}.")
                numbers = json.loads(done.output.splitlines()[-1]) | {"peak_mb": done.peak / MEGABYTE}
                result[f"{row}, {name}"] = numbers
                rate = numbers["sequences"] / numbers["seconds"]
                lines.append([row, numbers["sequences"], numbers["read"], numbers["seconds"], rate, numbers["peak_mb"]])
            grown = result[f"{row}, whole"]["peak_mb"] - result[f"{row}, quarter"]["peak_mb"]
            result[f"{row}, peak_mb over quarter"] = grown
    print(table(["model", "sequences", "read s", "predict s", "sequences/s", "peak MB"], lines))
    report(options, result, found)


if __name__ == "__main__":
    main()
