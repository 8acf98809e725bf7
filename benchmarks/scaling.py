"""How the cost of a training grows: with members, with sequences, with the length of a sequence.

Three small tables with the exponent e of seconds = c * size ** e. Members and sequences are measured on a narrow
DeepSTARR, so that the whole takes minutes; length on the width of the publication.

    python benchmarks/scaling.py --json
    python benchmarks/scaling.py --tables length --json benchmarks/results/scaling_length.json
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from harness import announce, environment, exponent, median, parser, report, table, timed
from workload import Workload

from degu.stacked.loop import Stack


def epoch_seconds(work: Workload, members: int, repeats: int) -> float:
    """Return the median seconds of an epoch of a stack, the first one left out."""
    stack = Stack(work.fits(members))
    live = range(members)
    stack.epoch(live, 0)
    return median([timed(lambda: stack.epoch(live, 0))[0] for _ in range(repeats)])


def members(asked: Namespace) -> dict[int, float]:
    """Vary the members of a stack; each has 20 steps of 128 short sequences on a narrow network."""
    work = Workload(length=75, batch_size=128, steps=20, width=0.25)
    return {count: epoch_seconds(work, count, asked.repeats) for count in asked.members}


def sequences(asked: Namespace) -> dict[int, float]:
    """Vary the sequences of an epoch of one member."""
    return {count: epoch_seconds(Workload(75, 1024, count // 1024, width=0.1), 1, 1) for count in asked.sequences}


def length(asked: Namespace) -> dict[int, float]:
    """Vary the length of a sequence, at the published width; two members, five steps of 32 sequences."""
    return {size: epoch_seconds(Workload(size, 32, 5), 2, asked.repeats) for size in asked.lengths}


TABLES = {"members": members, "sequences": sequences, "length": length}


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES, help="what to measure")
    options.add_argument("--members", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    options.add_argument("--sequences", type=int, nargs="+", default=[10_000, 50_000, 100_000, 400_000])
    options.add_argument("--lengths", type=int, nargs="+", default=[75, 150, 249, 500, 1000, 2000])
    options.add_argument("--repeats", type=int, default=3, help="timed epochs of every row")
    asked = options.parse_args()
    found = environment()
    announce(found)
    result: dict[str, Any] = {}
    for name in asked.tables:
        seconds = TABLES[name](asked)
        power = exponent(list(seconds), list(seconds.values()))
        result[name] = {"seconds": seconds, "exponent": power}
        rows = [(size, value, 1e6 * value / size) for size, value in seconds.items()]
        print(table((name, "seconds an epoch", "microseconds a unit"), rows))
        print(f"exponent {power:.2f}\n", flush=True)
    report(asked, result, found)


if __name__ == "__main__":
    main()
