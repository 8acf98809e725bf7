"""Time of the augmentations next to evoaug_tf, and what a list of three adds to a training step, in one run.

Operations: evoaug_tf's deletion, insertion, translocation and mutation, whose work is a loop over the sequences of a
batch, next to those of the same name here, and three of them one after the other. Both sides are part of a graph, as in
a training step, and timed in turn; a ratio is evoaug_tf over degu, above 1 degu is faster. `--jit` compiles both sides
with XLA as well, which Keras does by itself on a GPU and not on a CPU.

Training: a step of DeepSTARR with Adam, with and without a `RandomSubset` of three in front, both for Keras' plain
network and for the training form that degu fits.

    python benchmarks/augment.py --json
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import evoaug_tf.augment as theirs
import keras
import numpy as np
import tensorflow as tf
from harness import Ratio, alternate, announce, environment, median, parser, processor_ratio, ratio, report, table
from workload import Workload

from degu import augment
from degu.fused import training_form
from degu.train.dynamic import augmented_model

Change = Callable[[Any], Any]


def three() -> list[augment.Augmentation]:
    """Return the augmentations of the lists of three."""
    return [augment.RandomDeletion(), augment.RandomTranslocation(), augment.RandomMutation()]


def evoaug_three(x: Any) -> Any:
    """Apply the same three of evoaug_tf one after the other, as it does for a subset of three."""
    for operation in (theirs.RandomDeletion(), theirs.RandomTranslocation(), theirs.RandomMutation()):
        x = operation(x)
    return x


def pairs() -> dict[str, tuple[Change, Change]]:
    """Return the operations, ours and theirs."""
    layers = {
        "deletion": (augment.RandomDeletion(seed=0), theirs.RandomDeletion()),
        "insertion": (augment.RandomInsertion(keep_length=False, seed=0), theirs.RandomInsertion()),
        "translocation": (augment.RandomTranslocation(seed=0), theirs.RandomTranslocation()),
        "mutation": (augment.RandomMutation(seed=0), theirs.RandomMutation()),
        "subset of 3": (augment.RandomSubset(three(), max_augs_per_seq=3, seed=0), evoaug_three),
    }
    return {name: (partial(layer, training=True), reference) for name, (layer, reference) in layers.items()}


def repeated(change: Change, x: Any, calls: int, jit: bool) -> Callable[[], Any]:
    """Return some calls in a row in one graph, as in a training step, so that none is launched from Python."""

    def chain(x: Any) -> Any:
        # a number of every result is used, so that no call is left out
        def one(call: Any, found: Any) -> tuple[Any, Any]:
            return call + 1, found + change(x)[0, 0, 0]

        return tf.while_loop(lambda call, _: call < calls, one, [0, 0.0], parallel_iterations=1)[1]

    traced = tf.function(chain, autograph=False, jit_compile=jit)

    return lambda: float(traced(x))


def operations(batch: int, length: int, calls: int, repeats: int, jit: bool) -> dict[str, dict[str, Any]]:
    """Measure and print the operations on one batch size."""
    bases = np.random.default_rng(0).integers(0, 4, (batch, length))
    x = tf.constant(np.eye(4, dtype="float32")[bases])
    found: dict[str, dict[str, Any]] = {}
    for name, (ours, reference) in pairs().items():
        sides = {"degu": repeated(ours, x, calls, jit), "evoaug_tf": repeated(reference, x, calls, jit)}
        seconds = alternate(sides, repeats, warmup=2)
        each = {side: 1e3 * median(values) / calls for side, values in seconds.items()}
        ratios = {"ratio": ratio, "processor_ratio": processor_ratio}
        found[name] = {"ms": each, **{key: of(seconds, "evoaug_tf", "degu") for key, of in ratios.items()}}
    rows = [
        [name, *values["ms"].values(), str(values["ratio"]), str(values["processor_ratio"])]
        for name, values in found.items()
    ]
    title = f"\n{batch} x {length}{', XLA' if jit else ''}, ms"
    print(title + "\n" + table(["", "degu", "evoaug_tf", "ratio (quartiles)", "by processor time"], rows), flush=True)
    return found


def training_steps(work: Workload) -> dict[str, Callable[[], Any]]:
    """Return one training step of each network, with and without augmentation."""
    x, y = tf.constant(work.encoded()), tf.constant(work.targets)
    calls: dict[str, Callable[[], Any]] = {}
    for form, make in (("plain Keras", lambda model: model), ("training form", training_form)):
        for name in ("without", "with"):
            model = work.network(0)
            if name == "with":
                model = augmented_model(model, augment.RandomSubset(three(), seed=0), x.shape[1])
            model = make(model)
            model.compile("adam", "mse", jit_compile=False)
            calls[f"{form}, {name}"] = partial(model.train_on_batch, x, y)
    return calls


def training(work: Workload, repeats: int) -> dict[str, dict[str, Any]]:
    """Measure and print the steps."""
    seconds = alternate(training_steps(work), repeats, warmup=3)
    found: dict[str, dict[str, Any]] = {}
    for form in dict.fromkeys(name.rpartition(", ")[0] for name in seconds):
        pair = [f"{form}, {name}" for name in ("without", "with")]
        added = [1e3 * (longer - shorter) for shorter, longer in zip(*(seconds[name] for name in pair), strict=True)]
        found[form] = {
            "ms": {name.rpartition(", ")[2]: 1e3 * median(seconds[name]) for name in pair},
            "added_ms": median(added),
            "ratio": ratio(seconds, pair[1], pair[0]),
            "processor_ratio": processor_ratio(seconds, pair[1], pair[0]),
        }
    rows = [
        [form, *values["ms"].values(), values["added_ms"], str(values["ratio"]), str(values["processor_ratio"])]
        for form, values in found.items()
    ]
    title = f"\ntraining step, batch {work.batch_size}, with a subset of two out of three, ms"
    print(
        title + "\n" + table(["", "without", "with", "added", "ratio (quartiles)", "by processor time"], rows),
        flush=True,
    )
    return found


def plain(value: Any) -> Any:
    """Return dictionaries and numbers alone."""
    if isinstance(value, Ratio):
        return value._asdict()
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--batch", type=int, nargs="*", default=[512, 128], help="sequences a batch")
    options.add_argument("--length", type=int, default=249, help="bases a sequence")
    options.add_argument("--calls", type=int, default=10, help="calls in a row")
    options.add_argument("--repeats", type=int, default=20, help="timed rounds of calls")
    options.add_argument("--steps", type=int, default=40, help="timed training steps; 0 leaves them out")
    options.add_argument("--jit", action="store_true", help="compile both sides with XLA, too")
    asked = options.parse_args()
    keras.utils.set_random_seed(0)
    found = environment("evoaug-tf")
    announce(found)
    result: dict[str, Any] = {}
    for jit in (False, True) if asked.jit else (False,):
        for batch in asked.batch:
            name = f"{'xla_' if jit else ''}{batch}x{asked.length}"
            result[name] = operations(batch, asked.length, asked.calls, asked.repeats, jit)
    if asked.steps:
        result["training_step"] = training(Workload(asked.length, 128, steps=1), asked.steps)
    report(asked, plain(result), found)


if __name__ == "__main__":
    main()
