"""What tracking costs: the seconds spent in the tracker of a real study, and their share of a study of ten minutes.

A small study (`experiment=smoke`) runs with tracking=mlflow in a fresh SQLite store and with tracking=none, in turn and
each in a process of its own. With mlflow every call of the tracker is timed, the import of MLflow and the creation of
the store included. A study pays most of it once. Measurements of epochs are kept back and sent together, every ten
seconds at most and as seldom as keeps sending within its share of the time (degu/tracking/pace.py). The share of ten
minutes is

    (seconds outside epochs + 600 x an epoch + sendings x a sending) / 600

for a study with an epoch a second, which is many: an epoch of DeepSTARR on its whole data set takes minutes. A sending
is the median of 20 calls of their own, with ten measurements each. The store exists already in all studies but the
first; both are shown.

    python benchmarks/tracking.py --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from harness import announce, environment, measured, median, parser, report, table

STUDY = 600.0
EPOCHS = 600


class Timed:
    """A tracker that knows how long its calls took.

    Args:
        tracker: Does the work.
        spent: Number of calls and seconds by name, shared by the trackers of one study.
    """

    def __init__(self, tracker: Any, spent: dict[str, list[float]]) -> None:
        self._tracker = tracker
        self._spent = spent

    @property
    def run_id(self) -> str:
        """Identifier of the bound run."""
        return self._tracker.run_id

    def keep_unsent(self, folder: Path) -> None:
        """Time the choice of where to keep what a server does not take."""
        self._timed("keep unsent", self._tracker.keep_unsent, folder)

    def start(self, name: str, tags: Mapping[str, str] | None = None) -> AbstractContextManager[Timed]:
        """Time the start and the end of a run."""
        return self._entered("start", self._tracker.start(name, tags))

    def attach(self, run_id: str) -> AbstractContextManager[Timed]:
        """Time the entry into a run and its end."""
        return self._entered("attach", self._tracker.attach(run_id))

    def create(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """Time the creation of a run."""
        return self._timed("create", self._tracker.create, name, tags)

    def mark(self, run_id: str, values: Mapping[str, str]) -> None:
        """Time the record of tags of another run."""
        self._timed("mark", self._tracker.mark, run_id, values)

    def config(self, frozen: Mapping[str, Any]) -> None:
        """Time the record of a config."""
        self._timed("config", self._tracker.config, frozen)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Time the record of measurements, those of epochs apart."""
        self._timed("metrics" if step is None else "epoch", self._tracker.metrics, values, step)

    def flush(self) -> None:
        """Time the sending of what waits."""
        self._timed("flush", self._tracker.flush)

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """Time the record of a file."""
        self._timed("artifact", self._tracker.artifact, path, folder)

    def student(self, package: Path) -> None:
        """Time the record of the student's package."""
        self._timed("student", self._tracker.student, package)

    def tags(self, values: Mapping[str, str]) -> None:
        """Time the record of tags."""
        self._timed("tags", self._tracker.tags, values)

    @contextmanager
    def _entered(self, name: str, context: Any) -> Iterator[Timed]:
        run = self._timed(name, context.__enter__)
        try:
            yield Timed(run, self._spent)
        finally:
            self._timed(f"{name}, end", context.__exit__, *sys.exc_info())

    def _timed(self, name: str, call: Any, *arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            self._spent[name].append(time.perf_counter() - start)


def study(tracking: str, root: Path, experiment: str) -> None:
    """Run a study and print what its tracker spent."""
    from hydra import compose, initialize_config_dir

    from degu.config import config_dir

    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("config", [f"experiment={experiment}", f"tracking={tracking}"])
    from degu.pipeline import run
    from degu.tracking import MLflowTracker, NullTracker

    spent: dict[str, list[float]] = defaultdict(list)
    start = time.perf_counter()
    tracker = MLflowTracker(root=root / "mlruns") if tracking == "mlflow" else NullTracker()
    spent["open the store"].append(time.perf_counter() - start)
    with tempfile.TemporaryDirectory() as folder:
        run(config, Timed(tracker, spent), Path(folder) / "output")
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "spent": spent, "sending": sending(tracker)}))


def sending(tracker: Any) -> float:
    """Return the median seconds that it takes to send ten measurements."""
    found = []
    with tracker.start("sendings") as run:
        for step in range(20):
            run.metrics({f"valid/{number}": float(step) for number in range(10)}, step)
            start = time.perf_counter()
            run.flush()
            found.append(time.perf_counter() - start)
    return median(found)


def run_study(tracking: str, root: Path, experiment: str) -> dict[str, Any]:
    """Run a study in a process of its own and return what it printed."""
    done = measured([sys.executable, __file__, "--study", tracking, "--root", str(root), "--experiment", experiment])
    if done.code:
        sys.exit(f"The study with tracking={tracking} failed with status {done.code}.")
    return json.loads(done.output.splitlines()[-1])


def share(study: Mapping[str, Any]) -> dict[str, float]:
    """Return what a study of ten minutes spends on tracking, from what a small one spent."""
    from degu.tracking.pace import LARGEST_SHARE, LONGEST_WAIT, SHORTEST_WAIT

    spent, sending = study["spent"], study["sending"]
    once = sum(sum(values) for name, values in spent.items() if name != "epoch")
    wait = min(max(SHORTEST_WAIT, sending / LARGEST_SHARE), LONGEST_WAIT)
    epoch, sendings = median(spent["epoch"]), STUDY / wait
    whole = once + EPOCHS * epoch + sendings * sending
    return {"once": once, "epoch": epoch, "sending": sending, "ten_minutes": whole, "share": whole / STUDY}


def main() -> None:
    """Measure, print and store."""
    made = parser(__doc__)
    made.add_argument("--experiment", default="smoke", help="the study that is run")
    made.add_argument("--repeats", type=int, default=3, help="studies of each kind")
    made.add_argument("--study", choices=("mlflow", "none"), help=argparse.SUPPRESS)
    made.add_argument("--root", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.study:
        study(options.study, options.root, options.experiment)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pairs = [
            [run_study(tracking, root, options.experiment) for tracking in ("mlflow", "none")]
            for _ in range(options.repeats)
        ]
    first, last = pairs[0][0], pairs[-1][0]
    rows = [[name, len(values), 1e3 * median(values), sum(values)] for name, values in last["spent"].items()]
    print(table(["call, existing store", "calls", "ms each", "seconds"], rows), end="\n\n")
    shares = {"fresh store": share(first), "existing store": share(last)}
    headers = ["share of a study of ten minutes", "once s", "epoch ms", "sending ms", "whole s", "share"]
    print(
        table(
            headers,
            [
                [name, found["once"], 1e3 * found["epoch"], 1e3 * found["sending"], found["ten_minutes"], percent]
                for name, found in shares.items()
                for percent in [f"{found['share']:.2%}"]
            ],
        ),
        end="\n\n",
    )
    seconds = {
        tracking: [pair[place]["seconds"] for pair in pairs] for place, tracking in enumerate(("mlflow", "none"))
    }
    print(table(["whole small study", "seconds"], [[name, median(values)] for name, values in seconds.items()]))
    found = environment("mlflow", "sqlalchemy")
    announce(found)
    report(options, {"spent": last["spent"], "shares": shares, "studies": seconds}, found)


if __name__ == "__main__":
    main()
