"""Training an ensemble: plain Keras, member by member, next to degu's engines, in one run.

"plain" is one `model.fit` a member on one-hot arrays, with today's Keras and its defaults. "serial" is degu's
training of one member after the other, "stacked" of all side by side.

speed     Milliseconds of one step of one member and ratios over plain (above 1, degu is faster), each engine in float32
          and in mixed bfloat16. Then the limit: the time that the matrix products of a step need at the speed that one
          large product reaches here.
equality  The weights after a step on the same batch in float64, and the accuracy of members trained in every way.

    python benchmarks/ensemble.py --parts speed --json
    python benchmarks/ensemble.py --parts equality --json benchmarks/results/ensemble_equality.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from harness import alternate, announce, environment, median, parser, processor_ratio, ratio, report, table
from limits import BYTES, ceilings, work_of_a_step
from workload import Workload

from degu.data import one_hot, synthetic
from degu.metrics import eval_regression
from degu.stacked.loop import Stack
from degu.train.batches import Batches
from degu.train.fit import compiled

PARTS = ("speed", "equality")


class Score(NamedTuple):
    """Mean over members and its standard deviation."""

    mean: float
    deviation: float


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

    Both see one batch, in float64: in float32 two orders of summation part wherever the last bit decides a maximum or a
    ReLU. (Tests compare engines over many steps.) Biases in front of a batch normalisation are left out: they have no
    effect, and Keras moves them by rounding errors.
    """
    keras.config.set_floatx("float64")
    try:
        return _agreement(length, batch_size)
    finally:
        keras.config.set_floatx("float32")


def _agreement(length: int, batch_size: int) -> float:
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


def accuracy(members: int, epochs: int) -> dict[str, Score]:
    """Train on a simulated assay in every way; return mean and standard deviation of the members' test Pearson r."""
    splits = synthetic(num_train=4096, num_valid=64, num_test=2048, length=120)
    work = Workload(splits.length, 128, steps=1, width=0.5)
    work.tokens, work.targets = splits.train.tokens, splits.train.targets
    x, y = one_hot(splits.test.tokens), splits.test.targets

    def score(networks: Sequence[keras.Model]) -> Score:
        values = [eval_regression(network.predict(x, verbose=0), y)[1].mean() for network in networks]
        return Score(float(np.mean(values)), float(np.std(values, ddof=1)))

    plain = work.plain(members)
    for network in plain:
        network.fit(work.encoded(), work.targets, batch_size=128, epochs=epochs, verbose=0)
    scores = {"plain": score(plain)}
    for policy in BYTES:
        keras.config.set_dtype_policy(policy)
        stack = Stack(work.fits(members))
        keras.config.set_dtype_policy("float32")
        for epoch in range(epochs):
            stack.epoch(range(members), epoch)
        scores["stacked" if policy == "float32" else f"stacked, {policy}"] = score([fit.model for fit in stack.fits])
    return scores


def speed(asked: Namespace) -> dict[str, Any]:
    """Time the engines and print them."""
    work = Workload(asked.length, asked.batch, asked.steps, model=asked.model)
    encoded, networks = work.encoded(), work.plain(asked.members)

    def plain() -> None:
        for network in networks:
            network.fit(encoded, work.targets, batch_size=asked.batch, verbose=0)

    calls: dict[str, Callable[[], Any]] = {"plain": plain}
    for policy in asked.policies:
        calls |= engines(work, asked.members, policy)
    seconds = alternate(calls, asked.repeats, warmup=1)
    member_steps = asked.members * asked.steps
    ratios = {name: ratio(seconds, "plain", name) for name in seconds}
    work_ratios = {name: processor_ratio(seconds, "plain", name) for name in seconds}
    each = {name: 1e3 * median(values) / member_steps for name, values in seconds.items()}
    rows = [
        (name, each[name], 1e3 * asked.batch / each[name], str(ratios[name]), str(work_ratios[name]))
        for name in seconds
    ]
    headers = ("engine", "ms a member step", "member-samples/s", "times plain", "by processor time")
    print(table(headers, rows), flush=True)
    return {
        name: {
            "milliseconds_a_member_step": each[name],
            "member_samples_a_second": 1e3 * asked.batch / each[name],
            "plain_over_it": ratios[name]._asdict(),
            "plain_over_it_by_processor_time": work_ratios[name]._asdict(),
        }
        for name in seconds
    }


def limit(asked: Namespace, engines: dict[str, Any]) -> dict[str, Any]:
    """Print and return the time that the products of a step need at the speed of one large matrix product."""
    network = Workload(asked.length, asked.batch, 1, model=asked.model).network(0)
    found, rows = {}, []
    for policy in asked.policies:
        speeds = ceilings(policy, asked.repeats, asked.size)
        flops = work_of_a_step(network, asked.batch, policy)["flops"]
        least = 1e3 * flops / speeds["flops_a_second"]
        names = ("plain", "stacked") if policy == "float32" else (f"stacked, {policy}",)
        over = {name: engines[name]["milliseconds_a_member_step"] / least for name in names}
        found[policy] = {"gflop": flops / 1e9, **speeds, "milliseconds": least, "times_the_limit": over}
        rows += [(name, flops / 1e9, speeds["flops_a_second"] / 1e9, least, value) for name, value in over.items()]
    headers = ("engine", "GFLOP a member step", "GFLOP/s of a product", "limit, ms", "times the limit")
    print("\n" + table(headers, rows), flush=True)
    return found


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--members", type=int, default=5)
    options.add_argument("--model", default="deepstarr", help="an architecture of degu.models")
    options.add_argument("--length", type=int, default=249, help="bases a sequence")
    options.add_argument("--batch", type=int, default=128, help="sequences a step")
    options.add_argument("--steps", type=int, default=20, help="steps an epoch")
    options.add_argument("--repeats", type=int, default=5, help="timed epochs of every engine")
    options.add_argument("--size", type=int, default=2048, help="side of the matrices that measure the ceiling")
    options.add_argument("--policies", nargs="+", default=list(BYTES), choices=BYTES, help="precisions to time")
    options.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="what to measure")
    asked = options.parse_args()
    found = environment()
    announce(found)
    result: dict[str, Any] = {}
    if "speed" in asked.parts:
        result["engines"] = speed(asked)
        result["limit"] = limit(asked, result["engines"])
    if "equality" in asked.parts:
        difference = agreement(asked.length, asked.batch)
        result["largest_relative_difference_after_a_step_in_float64"] = difference
        scores = accuracy(asked.members, epochs=12)
        result["pearson"] = {name: value._asdict() for name, value in scores.items()}
        print(f"\nlargest relative difference of a weight after one step, float64: {difference:.1e}")
        print(table(("test Pearson r, simulated assay", "mean", "SD of members"), [(n, *v) for n, v in scores.items()]))
    report(asked, result, found)


if __name__ == "__main__":
    main()
