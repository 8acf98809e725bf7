"""Ensemble prediction next to loading weights and predicting member by member, and the student next to its ensemble.

"plain" is what a user writes with Keras alone: for every member `model.load_weights` and `model.predict` on one-hot
sequences, which are encoded beforehand and not counted; once with Keras' own batch size of 32 and once with that of
degu. "degu" is `Ensembler.predict_members` on tokens, without its cache of predictions. "cold" builds the network
anew every time, so that reading weights and tracing count; "warm" repeats the call.

On a CPU many sequences are predicted through tables of k-mers (degu/fused/kmers.py); "degu, no tables" leaves these
out and shows what one graph and folded normalisation bring alone. Predictions of both sides are compared.

    python benchmarks/prediction.py --json
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from harness import Seconds, alternate, announce, environment, median, parser, processor_ratio, ratio, report, table

from degu import Distiller, EnsemblerBase, models
from degu.data import one_hot
from degu.ensemble import PredictionCache, inference

Build = Callable[[], keras.Model]
PLAIN, DEGU, NO_TABLES = "plain, batches of 32", "degu", "degu, no tables"


def write_members(build: Build, count: int, folder: Path) -> list[Path]:
    """Write members with drawn weights and statistics."""
    generator, paths = np.random.default_rng(0), []
    for index in range(count):
        model = build()
        model.set_weights([value + generator.uniform(0, 0.1, value.shape) for value in model.get_weights()])
        paths.append(folder / f"member_{index}.weights.h5")
        model.save_weights(paths[-1])
    return paths


def plain(model: keras.Model, paths: list[Path], x: np.ndarray, batch_size: int) -> np.ndarray:
    """Predict member by member with Keras alone."""
    outputs = []
    for path in paths:
        model.load_weights(path)
        outputs.append(model.predict(x, batch_size=batch_size, verbose=0))
    return np.stack(outputs)


def ensemble(build: Build, paths: list[Path]) -> EnsemblerBase:
    """Return an ensemble that remembers weights and graphs, but no predictions."""
    return EnsemblerBase(build, paths, cache=PredictionCache(in_memory=0))


@contextmanager
def without_tables() -> Iterator[None]:
    """Predict through the layers alone."""
    kept, inference.LOOKUPS_A_ROW = inference.LOOKUPS_A_ROW, 10**9
    try:
        yield
    finally:
        inference.LOOKUPS_A_ROW = kept


def calls(build: Build, paths: list[Path], tokens: np.ndarray, batch_size: int, warm: bool) -> dict[str, Callable]:
    """Return what is compared; cold calls make a new network each time."""
    x = one_hot(tokens)
    model, quick, direct = build(), ensemble(build, paths), ensemble(build, paths)

    def unaided() -> np.ndarray:
        with without_tables():
            return (direct if warm else ensemble(build, paths)).predict_members(tokens, batch_size)

    return {
        PLAIN: lambda: plain(model if warm else build(), paths, x, 32),
        f"plain, batches of {batch_size}": lambda: plain(model if warm else build(), paths, x, batch_size),
        NO_TABLES: unaided,
        DEGU: lambda: (quick if warm else ensemble(build, paths)).predict_members(tokens, batch_size),
    }


def compared(title: str, seconds: Seconds, sequences: int) -> dict[str, Any]:
    """Print and return the seconds of every side and how many times as quick degu is."""
    rows, result = [], {}
    for name in seconds:
        times, worked = ratio(seconds, name, DEGU), processor_ratio(seconds, name, DEGU)
        result[name] = {
            "seconds": seconds[name],
            "over_degu": times._asdict(),
            "over_degu_by_processor_time": worked._asdict(),
        }
        rows.append([name, median(seconds[name]), sequences / median(seconds[name]), str(times), str(worked)])
    headers = [title, "seconds", "sequences/s", "times degu", "by processor time"]
    print(f"\n{table(headers, rows)}", flush=True)
    return result


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--sequences", type=int, default=10_000)
    options.add_argument("--members", type=int, default=5)
    options.add_argument("--length", type=int, default=249, help="bases a sequence")
    options.add_argument("--model", default="deepstarr", help="an architecture of degu.models")
    options.add_argument("--batch", type=int, default=512, help="sequences a batch")
    options.add_argument("--repeats", type=int, default=5, help="timed calls of each side")
    chosen = options.parse_args()
    found = environment()
    announce(found)
    build = partial(getattr(models, chosen.model), (chosen.length, 4), 2)
    student_build = partial(getattr(models, chosen.model), (chosen.length, 4), 4)
    tokens = np.random.default_rng(0).integers(0, 4, (chosen.sequences, chosen.length), dtype=np.uint8)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_members(build, chosen.members, Path(folder))
        for title, warm in (("cold", False), ("warm", True)):
            sides = calls(build, paths, tokens, chosen.batch, warm)
            result[title] = compared(title, alternate(sides, chosen.repeats, int(warm)), chosen.sequences)
        reference, outputs = sides[PLAIN](), sides[DEGU]()
        result["largest_difference"] = float(np.abs(outputs - reference).max() / np.abs(reference).max())
        quick, student = ensemble(build, paths), student_build()
        distiller = Distiller(quick)
        pair: dict[str, Callable] = {
            f"ensemble of {chosen.members}": lambda: quick.predict(tokens, chosen.batch),
            "student": lambda: distiller.predict_student(tokens, student, chosen.batch),
        }
        seconds = alternate(pair, chosen.repeats)
        result["ensemble_over_student"] = ratio(seconds, *pair)._asdict()
    print(f"\nlargest difference of predictions, relative to the largest: {result['largest_difference']:.1e}")
    print(f"ensemble of {chosen.members} over student, warm: {ratio(seconds, *pair)}")
    report(chosen, result, found)


if __name__ == "__main__":
    main()
