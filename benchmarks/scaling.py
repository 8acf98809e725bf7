"""How the cost of a training grows: with members, with sequences, with the length of a sequence.

Three small tables with the exponent e of seconds = c * size ** e. Members and sequences are measured on a narrow
DeepSTARR, so that the whole takes minutes; length on the width of the publication. Peak memory is that of a process of
its own for every row of the members' table.

    python benchmarks/scaling.py --json
"""

from __future__ import annotations

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


def main() -> None:
    """Measure, print and store."""
    options = parser(__doc__)
    options.add_argument("--members", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    options.add_argument("--sequences", type=int, nargs="+", default=[10_000, 50_000, 100_000, 400_000])
    options.add_argument("--lengths", type=int, nargs="+", default=[75, 150, 249, 500, 1000, 2000])
    options.add_argument("--repeats", type=int, default=3, help="timed epochs of every row")
    asked = options.parse_args()
    found = environment()
    announce(found)

    small = Workload(length=75, batch_size=128, steps=20, width=0.25)
    tables: dict[str, dict[int, float]] = {
        "members": {count: epoch_seconds(small, count, asked.repeats) for count in asked.members},
        "sequences": {
            count: epoch_seconds(Workload(75, 1024, count // 1024, width=0.1), 1, 1) for count in asked.sequences
        },
        "length": {length: epoch_seconds(Workload(length, 32, 5), 2, asked.repeats) for length in asked.lengths},
    }
    result: dict[str, Any] = {}
    for name, seconds in tables.items():
        power = exponent(list(seconds), list(seconds.values()))
        result[name] = {"seconds": seconds, "exponent": power}
        print(
            table((name, "seconds an epoch", "microseconds a unit"), [(n, s, 1e6 * s / n) for n, s in seconds.items()])
        )
        print(f"exponent {power:.2f}\n", flush=True)
    report(asked, result, found)


if __name__ == "__main__":
    main()
