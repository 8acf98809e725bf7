"""Memory of training on a data set of the size of DeepSTARR, of a pass over a file larger than memory, of a check.

Every case runs in a process of its own. Counted are resident pages of Linux: "now" is RssAnon + RssShmem, the pages
that the kernel cannot drop; "peak" is VmHWM, the largest resident set so far, pages of files included. Both are given
above their value after the import of Keras and its backend.

in memory   402,296 x 249 bp (random) as `degu.data.Split`: two members and a student, each a narrow DeepSTARR for one
            epoch in batches of 128, and the predictions that the student learns from.
streamed    10 million x 249 bp written in chunks to a temporary folder (2.5 GB), then one epoch over the file with
            `degu.train.train_standard_fun` on a network of 1,000 weights, in batches of 2,048.
checked     400,000 x 249 bp with two targets, names and splits as a table: `degu data check`, the whole process with
            its imports, which are not those of a framework.

    python benchmarks/memory.py --json
    python benchmarks/memory.py --rows 20000 --streamed-rows 200000 --checked-rows 20000
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
from harness import MEGABYTE, announce, environment, measured, memory, parser, report, table

MARKS = (0.1, 0.5, 1.0)
STREAMED_BATCH = 2048
_CHUNK = 2**16


class Watch:
    """Memory of this process above that of the imported framework, in MB."""

    def __init__(self) -> None:
        import keras

        keras.ops.convert_to_numpy(keras.ops.zeros(1))
        self._base = memory()
        self._start = time.perf_counter()
        self.rows: list[list[Any]] = []

    def note(self, stage: str) -> None:
        """Keep the memory at a stage."""
        found = memory()
        above = [(found[kind] - self._base[kind]) / MEGABYTE for kind in ("now", "peak")]
        self.rows.append([stage, *(round(value) for value in above), round(time.perf_counter() - self._start)])


def in_memory(options: argparse.Namespace, watch: Watch) -> None:
    """Train two members and a student on arrays."""
    from degu import Distiller, EnsemblerBase
    from degu.data import Split
    from degu.models import deepstarr
    from degu.train import train_standard_fun

    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 4, (options.rows, options.length), dtype=np.uint8)
    targets = generator.standard_normal((options.rows, 2), dtype=np.float32)
    split = Split(tokens, targets, np.arange(options.rows).astype(str))
    valid = split.select(np.arange(min(1000, options.rows)))
    watch.note("data set")
    recipe = {"max_epochs": 1, "batch_size": 128, "validation_data": (valid.tokens, valid.targets)}
    with tempfile.TemporaryDirectory() as folder:
        ensembler = EnsemblerBase(partial(deepstarr, (options.length, 4), 2, width=options.width))
        ensembler.train(
            split.tokens, split.targets, 2, train_standard_fun, save_prefix=f"{folder}/m", standardize=True, **recipe
        )
        watch.note("two members")
        ensembler.predict(split.tokens)
        watch.note("predictions")
        student = partial(deepstarr, (options.length, 4), 4, width=options.width)
        Distiller(ensembler).distill_student(
            split.tokens, split.targets, student, train_standard_fun, save_prefix=f"{folder}/s", **recipe
        )
        watch.note("student")


def streamed(options: argparse.Namespace, watch: Watch) -> None:
    """Train on a file for one epoch."""
    import keras

    from degu.data import RowFile, TokenFile
    from degu.train import train_standard_fun

    x, y = TokenFile(Path(options.folder) / "x.npy"), RowFile(Path(options.folder) / "y.npy")
    steps = -(-len(x) // STREAMED_BATCH)
    marks = {max(0, round(mark * steps) - 1): f"{mark:.0%} of the rows" for mark in MARKS}

    class Marks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if batch in marks:
                watch.note(marks[batch])

    inputs = keras.Input((options.length, 4))
    features = keras.layers.Conv1D(16, 12, strides=12, activation="relu")(inputs)
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(features))
    watch.note("files opened")
    train_standard_fun(
        keras.Model(inputs, outputs), x, y, max_epochs=1, batch_size=STREAMED_BATCH, seed=0, callbacks=[Marks()]
    )


def write_files(folder: Path, rows: int, length: int) -> None:
    """Write random tokens and targets, a chunk at a time."""
    from degu.data import RowWriter
    from degu.data.row_files import chunks

    generator = np.random.default_rng(0)
    with RowWriter(folder / "x.npy") as x, RowWriter(folder / "y.npy") as y:
        for part in chunks(rows, _CHUNK):
            size = part.stop - part.start
            x.append(generator.integers(0, 4, (size, length), dtype=np.uint8))
            y.append(generator.standard_normal((size, 2), dtype=np.float32))


def write_table(path: Path, rows: int, length: int) -> None:
    """Write random sequences, targets and splits as a table, a chunk at a time."""
    from degu.data import detokenize
    from degu.data.row_files import chunks

    generator = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("name\tsequence\ta\tb\tsplit\n")
        for part in chunks(rows, _CHUNK):
            size = part.stop - part.start
            letters = detokenize(generator.integers(0, 4, (size, length), dtype=np.uint8))
            values = generator.standard_normal((size, 2))
            splits = generator.choice(["train", "valid", "test"], size, p=[0.8, 0.1, 0.1])
            cells = zip(range(part.start, part.stop), letters, values, splits, strict=True)
            file.writelines(f"s{row}\t{text}\t{a:.5f}\t{b:.5f}\t{split}\n" for row, text, (a, b), split in cells)


def checked(options: argparse.Namespace) -> dict[str, Any]:
    """Check a table in a process of its own, print and return its numbers."""
    code = "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.tsv"
        write_table(path, options.checked_rows, options.length)
        done = measured([sys.executable, "-c", code, "data", "check", str(path), "--targets", "a", "b", "--id", "name"])
    if done.code:
        sys.exit(f"The check failed with status {done.code}.")
    numbers = {"seconds": done.seconds, "processor": done.worked, "peak_mb": done.peak / MEGABYTE}
    print(f"\n{table(['checked', *numbers], [[options.checked_rows, *numbers.values()]])}", flush=True)
    return numbers


CASES = {"in memory": in_memory, "streamed": streamed}


def run(case: str, options: argparse.Namespace, folder: str = "") -> dict[str, Any]:
    """Run a case in a process of its own, print its table and return its numbers."""
    command = [sys.executable, __file__, "--case", case, "--folder", folder]
    for name in ("rows", "streamed_rows", "length", "width"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = measured(command)
    if done.code:
        sys.exit(f"The case {case!r} failed with status {done.code}.")
    rows = json.loads(done.output.splitlines()[-1])
    print(f"\n{table([case, 'now MB', 'peak MB', 'seconds'], rows)}", flush=True)
    return {"stages": rows, "peak_mb": max(row[2] for row in rows), "whole_process_peak_mb": done.peak / MEGABYTE}


def main() -> None:
    """Measure, print and store."""
    made = parser(__doc__)
    made.add_argument("--rows", type=int, default=402_296, help="sequences in memory; 0 leaves the case out")
    made.add_argument("--streamed-rows", type=int, default=10_000_000, help="sequences in the file; 0 leaves it out")
    made.add_argument("--checked-rows", type=int, default=400_000, help="sequences in the table; 0 leaves it out")
    made.add_argument("--length", type=int, default=249, help="bases a sequence")
    made.add_argument("--width", type=float, default=0.25, help="width of the DeepSTARR that is trained in memory")
    made.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    made.add_argument("--folder", default="", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.case:
        watch = Watch()
        CASES[options.case](options, watch)
        print(json.dumps(watch.rows))
        return
    result = {}
    if options.rows:
        result["in memory"] = run("in memory", options)
    if options.streamed_rows:
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), options.streamed_rows, options.length)
            result["streamed"] = run("streamed", options, folder)
    if options.checked_rows:
        result["checked"] = checked(options)
    found = environment()
    announce(found)
    report(options, result, found)


if __name__ == "__main__":
    main()
