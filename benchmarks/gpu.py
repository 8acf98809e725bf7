"""An ensemble on one accelerator in one call: members side by side and the limits of the device.

On a machine with JAX, without TensorFlow and without a package index, in the root of a checkout. The folder `wheels` is
made beforehand with `pip download --only-binary :all: --dest wheels keras tqdm`:

    pip install -q --no-index -f wheels keras tqdm && KERAS_BACKEND=jax PYTHONPATH=. python benchmarks/gpu.py --json

Where degu is installed, `KERAS_BACKEND=jax python benchmarks/gpu.py --json` is enough, and so it is
with `KERAS_BACKEND=tensorflow`.

Prints, in float32 and in mixed bfloat16: the time of one plain Keras member (`model.fit` on one-hot arrays), of a
stack of members, and their ratio; the time that the device needs at least, from the arithmetic and the memory traffic
of a step over two ceilings that are measured here (a large matrix product, a large copy); what augmentation adds to the
step. Runs on a CPU too, with smaller numbers: `--members 2 --steps 4 --repeats 2 --size 1024`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from harness import alternate, announce, environment, median, parser, ratio, report, table
from limits import BYTES, ceilings, work_of_a_step
from workload import Workload

from degu.augment import RandomDeletion, RandomMutation, RandomSubset, RandomTranslocation
from degu.stacked.loop import Stack
from degu.train.dynamic import augmented_model


def training(work: Workload, members: int, repeats: int) -> dict[str, list[float]]:
    """Time an epoch of one plain member, of one member in a stack, and of a stack of members."""
    (plain,), encoded = work.plain(1), work.encoded()
    stacks = {f"stack of {count}": Stack(work.fits(count)) for count in (1, members)}
    calls: dict[str, Callable[[], Any]] = {
        "plain": lambda: plain.fit(encoded, work.targets, batch_size=work.batch_size, verbose=0)
    }
    for name, stack in stacks.items():
        calls[name] = partial(stack.epoch, range(len(stack.fits)), 0)
    return alternate(calls, repeats, warmup=2)


def augmentation(work: Workload, members: int, repeats: int) -> dict[str, list[float]]:
    """Time an epoch of a stack with and without three augmentations a sequence."""
    augmented = Workload(work.tokens.shape[1], work.batch_size, work.steps)
    three = partial(RandomSubset, max_augs_per_seq=3, seed=0)
    augmented.build = lambda: augmented_model(
        work.build(), three([RandomDeletion(), RandomTranslocation(), RandomMutation()]), work.tokens.shape[1]
    )
    stacks = {"plain stack": Stack(work.fits(members)), "augmented stack": Stack(augmented.fits(members))}
    return alternate({name: partial(stack.epoch, range(members), 0) for name, stack in stacks.items()}, repeats, 2)


def measure(policy: str, asked: Any) -> dict[str, Any]:
    """Measure everything in one precision and print it."""
    keras.config.set_dtype_policy(policy)
    work = Workload(asked.length, asked.batch, asked.steps)
    limits = ceilings(policy, asked.repeats, asked.size)
    seconds = training(work, asked.members, asked.repeats)
    stack = f"stack of {asked.members}"
    counted = work_of_a_step(work.network(0), work.batch_size, policy)
    arithmetic = asked.members * counted["flops"] / limits["flops_a_second"]
    traffic = asked.members * counted["bytes"] / limits["bytes_a_second"]
    step = median(seconds[stack]) / asked.steps
    extra = augmentation(work, asked.members, asked.repeats)
    rows: Sequence[tuple[str, Any]] = [
        ("one plain member, ms a step", 1e3 * median(seconds["plain"]) / asked.steps),
        ("stack of 1, ms a step", 1e3 * median(seconds["stack of 1"]) / asked.steps),
        (f"{stack}, ms a step", 1e3 * step),
        (f"{stack} over one plain member", str(ratio(seconds, stack, "plain"))),
        ("arithmetic ceiling, TFLOP/s", limits["flops_a_second"] / 1e12),
        ("memory ceiling, GB/s", limits["bytes_a_second"] / 1e9),
        ("limit by arithmetic, ms a step", 1e3 * arithmetic),
        ("limit by memory traffic, ms a step", 1e3 * traffic),
        ("time over the larger limit", step / max(arithmetic, traffic)),
        ("with three augmentations, times", str(ratio(extra, "augmented stack", "plain stack"))),
    ]
    print(table((policy, ""), rows), "\n", flush=True)
    return dict(rows)


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--members", type=int, default=10)
    options.add_argument("--length", type=int, default=249, help="bases a sequence")
    options.add_argument("--batch", type=int, default=128, help="sequences a step of one member")
    options.add_argument("--steps", type=int, default=128, help="steps an epoch")
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--size", type=int, default=8192, help="side of the matrices that measure the ceilings")
    asked = options.parse_args()
    found = environment()
    announce(found)
    report(asked, {policy: measure(policy, asked) for policy in BYTES}, found)


if __name__ == "__main__":
    main()
