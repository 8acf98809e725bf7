"""Time from a command line to its answer where nothing is computed, next to a bare Python.

Every call is a process of its own; they are run in turn. The target is half a second for help and for a mistyped
override, which must be refused before anything heavy is imported. Beside the time by the clock stands the processor
time, which is what the clock shows on a quiet machine.

    python benchmarks/startup.py --json
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import MEGABYTE, Finished, alternate, announce, environment, measured, median, parser, report, table

DEGU = str(Path(sys.executable).with_name("degu"))
COMMANDS = {
    "bare python": ([sys.executable, "-c", "pass"], 0),
    "import degu": ([sys.executable, "-c", "import degu"], 0),
    "degu --help": ([DEGU, "--help"], 0),
    "degu run --help": ([DEGU, "run", "--help"], 0),
    "mistyped group": ([DEGU, "run", "modell=deepstarr"], 2),
    "mistyped choice": ([DEGU, "run", "model=deepstar"], 2),
    "mistyped value": ([DEGU, "run", "ensemble.num_ensembel=3"], 2),
}
TARGET = 0.5


def call(name: str, ended: dict[str, list[Finished]]) -> Callable[[], None]:
    """Return the call of a command, which keeps how it ended."""

    def run() -> None:
        command, code = COMMANDS[name]
        done = measured(command, quiet=True)
        if done.code != code:
            sys.exit(f"Expected {name!r} to end with status {code}. Received: {done.code}")
        ended[name].append(done)

    return run


def main() -> None:
    """Measure, print and store."""
    made = parser(__doc__)
    made.add_argument("--repeats", type=int, default=10, help="timed calls of each command")
    options = made.parse_args()
    ended: dict[str, list[Finished]] = {name: [] for name in COMMANDS}
    seconds = alternate({name: call(name, ended) for name in COMMANDS}, options.repeats, warmup=2)
    result: dict[str, Any] = {}
    rows = []
    for name, values in seconds.items():
        last = ended[name][-options.repeats :]
        worked, peak = [done.worked for done in last], max(done.peak for done in last) / MEGABYTE
        result[name] = {"seconds": values, "processor_seconds": worked, "peak_mb": peak}
        met = "" if name == "bare python" else ("yes" if median(values) <= TARGET else "no")
        rows.append([name, median(values), min(values), median(worked), peak, met])
    print(table(["command", "seconds", "fastest", "processor s", "peak MB", f"<= {TARGET} s"], rows))
    found = environment("hydra-core")
    announce(found)
    report(options, result, found)


if __name__ == "__main__":
    main()
