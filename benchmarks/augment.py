"""Time of the augmentations next to evoaug_tf's operations of the same name, in one run.

Both sides are traced once and timed in turn, so that a change of the machine's load meets both. Prints
milliseconds a batch (median) and their ratio, evoaug_tf over degu: above 1, degu is faster. `--jit` compiles both
sides with XLA, which Keras does by itself on a GPU and not on a CPU.

    python benchmarks/augment.py --json results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import evoaug_tf.augment as theirs
import numpy as np
import tensorflow as tf

from degu import augment

Call = Callable[[Any], Any]


def evoaug_subset(x: Any) -> Any:
    """Apply deletion, translocation and mutation one after the other, as evoaug_tf does for a subset of three."""
    for operation in (theirs.RandomDeletion(), theirs.RandomTranslocation(), theirs.RandomMutation()):
        x = operation(x)
    return x


def pairs() -> dict[str, tuple[Call, Call]]:
    """Return the operations, ours and theirs."""
    three = [augment.RandomDeletion(), augment.RandomTranslocation(), augment.RandomMutation()]
    ours: dict[str, augment.Augmentation] = {
        "deletion": augment.RandomDeletion(seed=0),
        "insertion": augment.RandomInsertion(keep_length=False, seed=0),
        "translocation": augment.RandomTranslocation(seed=0),
        "mutation": augment.RandomMutation(seed=0),
        "subset of 3": augment.RandomSubset(three, max_augs_per_seq=3, seed=0),
    }
    references: dict[str, Call] = {
        "deletion": theirs.RandomDeletion(),
        "insertion": theirs.RandomInsertion(),
        "translocation": theirs.RandomTranslocation(),
        "mutation": theirs.RandomMutation(),
        "subset of 3": evoaug_subset,
    }
    return {name: (training(layer), references[name]) for name, layer in ours.items()}


def training(layer: augment.Augmentation) -> Call:
    """Return the layer's call in training."""
    return lambda x: layer(x, training=True)


def measure(calls: tuple[Call, Call], x: Any, repeats: int, jit: bool) -> list[float]:
    """Return the median milliseconds of both calls, timed in turn."""
    traced = [tf.function(call, autograph=False, jit_compile=jit) for call in calls]
    times: list[list[float]] = [[], []]
    for repeat in range(repeats + 3):
        for call, values in zip(traced, times, strict=True):
            start = time.perf_counter()
            call(x).numpy()
            if repeat >= 3:
                values.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(values) for values in times]


def environment() -> dict[str, Any]:
    """Return the device and the versions that the numbers belong to."""
    gpus = tf.config.list_physical_devices("GPU")
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    return {
        "device": name,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("tensorflow", "keras", "evoaug-tf")},
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=512, help="sequences a batch")
    parser.add_argument("--length", type=int, default=249, help="bases a sequence")
    parser.add_argument("--repeats", type=int, default=30, help="timed calls of each side")
    parser.add_argument("--jit", action="store_true", help="compile both sides with XLA")
    parser.add_argument("--json", type=Path, help="file to store the numbers in")
    options = parser.parse_args()

    bases = np.random.default_rng(0).integers(0, 4, (options.batch, options.length))
    x = tf.constant(np.eye(4, dtype="float32")[bases])
    report: dict[str, Any] = {
        **environment(),
        "batch": options.batch,
        "length": options.length,
        "jit": options.jit,
    }
    print("  ".join(f"{key} {value}" for key, value in report.items()))
    report["milliseconds"] = {}
    print(f"{'operation':<16}{'degu ms':>10}{'evoaug_tf ms':>14}{'ratio':>8}")
    for name, calls in pairs().items():
        ours, reference = measure(calls, x, options.repeats, options.jit)
        report["milliseconds"][name] = {"degu": ours, "evoaug_tf": reference, "ratio": reference / ours}
        print(f"{name:<16}{ours:>10.2f}{reference:>14.2f}{reference / ours:>8.1f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
