"""Training an ensemble: plain Keras, member by member, next to degu's engines, in one run.

"plain" is one `model.fit` a member on one-hot arrays, with today's Keras and its defaults. "serial" is degu's
training of one member after the other, "stacked" of all side by side. Prints milliseconds of one step of one member
and ratios over plain (above 1, degu is faster), each engine in float32 and in mixed bfloat16; then whether the
results are equal: the weights after a step on the same batch, and the accuracy of members trained both ways.

    python benchmarks/ensemble.py --members 5 --json
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from harness import alternate, announce, environment, median, parser, ratio, report, table
from workload import Workload

from degu.data import one_hot, synthetic
from degu.metrics import eval_regression
from degu.stacked.loop import Stack
from degu.train.batches import Batches
from degu.train.fit import compiled


def engines(work: Workload, members: int, policy: str) -> dict[str, Callable[[], Any]]:
    """Return one epoch of all members by each engine of degu."""
    keras.config.set_dtype_policy(policy)
    suffix = "" if policy == "float32" else f", {policy}"
    stack = Stack(work.fits(members))
    alone = [(compiled(fit), Batches(fit.x, fit.y, fit.batch_size, seed=fit.seed)) for fit in work.fits(members)]
    keras.config.set_dtype_policy("float32")

    def serial() -> None:
        for network, batches in alone:
            network.fit(batches, verbose=0, shuffle=False)

    return {f"serial{suffix}": serial, f"stacked{suffix}": lambda: stack.epoch(range(members), 0)}


def agreement(length: int, batch_size: int) -> float:
    """Return the largest difference of a weight, relative to its norm, between a stack and unchanged Keras networks.

    Both see one batch. (Over many steps of float32, two orders of summation drift apart wherever a maximum or a ReLU
    is decided by the last bit; tests compare them over many steps in float64.) Biases in front of a batch
    normalisation are left out: they have no effect, and Keras moves them by rounding errors.
    """
    work = Workload(length, batch_size, steps=1)
    optimizer = partial(keras.optimizers.SGD, 0.01)
    stack = Stack(work.fits(2, optimizer))
    stack.epoch(range(2), 0)
    differences = []
    for fit, stacked in zip(work.fits(2, optimizer), stack.fits, strict=True):
        fit.model.compile(fit.optimizer, fit.loss)
        fit.model.train_on_batch(*Batches(fit.x, fit.y, fit.batch_size, seed=fit.seed)[0])
        differences += [
            _difference(mine, theirs)
            for mine, theirs in zip(stacked.model.weights, fit.model.weights, strict=True)
            if mine.name != "bias" or mine.path.startswith("output")
        ]
    return max(differences)


def _difference(mine: keras.Variable, theirs: keras.Variable) -> float:
    a, b = keras.ops.convert_to_numpy(mine).astype(float), keras.ops.convert_to_numpy(theirs).astype(float)
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-3))


def accuracy(members: int, epochs: int) -> dict[str, tuple[float, float]]:
    """Train on a simulated assay both ways; return mean and standard deviation of the members' test Pearson r."""
    splits = synthetic(num_train=4096, num_valid=64, num_test=2048, length=120)
    work = Workload(splits.length, 128, steps=1, width=0.5)
    work.tokens, work.targets = splits.train.tokens, splits.train.targets
    plain = work.plain(members)
    for network in plain:
        network.fit(work.encoded(), work.targets, batch_size=128, epochs=epochs, verbose=0)
    stack = Stack(work.fits(members))
    for epoch in range(epochs):
        stack.epoch(range(members), epoch)
    x, y = one_hot(splits.test.tokens), splits.test.targets
    scores = {
        name: [eval_regression(network.predict(x, verbose=0), y)[1].mean() for network in networks]
        for name, networks in {"plain": plain, "stacked": [fit.model for fit in stack.fits]}.items()
    }
    return {name: (float(np.mean(values)), float(np.std(values, ddof=1))) for name, values in scores.items()}


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--members", type=int, default=5)
    options.add_argument("--length", type=int, default=249, help="bases a sequence")
    options.add_argument("--batch", type=int, default=128, help="sequences a step")
    options.add_argument("--steps", type=int, default=20, help="steps an epoch")
    options.add_argument("--repeats", type=int, default=7, help="timed epochs of every engine")
    asked = options.parse_args()
    found = environment()
    announce(found)

    work = Workload(asked.length, asked.batch, asked.steps)
    encoded, networks = work.encoded(), work.plain(asked.members)

    def plain() -> None:
        for network in networks:
            network.fit(encoded, work.targets, batch_size=asked.batch, verbose=0)

    calls: dict[str, Callable[[], Any]] = {"plain": plain}
    for policy in ("float32", "mixed_bfloat16"):
        calls |= engines(work, asked.members, policy)
    seconds = alternate(calls, asked.repeats, warmup=2)
    member_steps = asked.members * asked.steps
    result: dict[str, Any] = {
        name: {
            "milliseconds_a_member_step": 1e3 * median(values) / member_steps,
            "member_samples_a_second": member_steps * asked.batch / median(values),
            "plain_over_it": ratio(seconds, "plain", name)._asdict(),
        }
        for name, values in seconds.items()
    }
    rows = [
        (name, row["milliseconds_a_member_step"], row["member_samples_a_second"], str(ratio(seconds, "plain", name)))
        for name, row in result.items()
    ]
    print(table(("engine", "ms a member step", "member-samples/s", "times plain"), rows))
    difference = agreement(asked.length, asked.batch)
    pearson = accuracy(asked.members, epochs=8)
    print(f"largest relative difference of a weight after one step: {difference:.1e}")
    print(
        "test Pearson r on a simulated assay:", "; ".join(f"{n} {m:.3f} +- {sd:.3f}" for n, (m, sd) in pearson.items())
    )
    result |= {"largest_relative_difference_after_a_step": difference, "pearson": pearson}
    report(asked, result, found)


if __name__ == "__main__":
    main()
