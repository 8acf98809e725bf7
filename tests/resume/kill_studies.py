"""Kills studies with SIGKILL, gives the same command again, and compares the end with that of an uninterrupted study.

python tests/resume/kill_studies.py --random 20            # at random moments
python tests/resume/kill_studies.py --points               # while an epoch's state, weights, a log are written, ...
python tests/resume/kill_studies.py --points weights log   # at some of these

Every study is checked for: the same `results.json`, weight files and histories, bit for bit; weights that were finished
when it was killed are not written again; one run for the study and each network, ended well; no measurement twice.
Exit status 0 if all of that holds.
"""

import argparse
import contextlib
import functools
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TINY = [
    *("experiment=smoke", "device=cpu", "data.num_train=64", "data.num_valid=30", "data.num_test=30", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "trainer.max_epochs=4", "trainer.batch_size=16"),
    *("distill.trainer.max_epochs=4", "evaluation.uncertainty.num_resamples=0", "evaluation.shift=null"),
    *("evaluation.attribution=null", "checkpoint.seconds=0"),
]
POINTS = {
    "epoch": ("degu.train.checkpoint:Checkpoint.keep", 5, False),
    "state": ("degu.train.checkpoint:np.savez", 4, True),
    "weights": ("keras:Model.save_weights", 1, True),
    "member": ("degu.train.network:save_trained", 1, True),
    "log": ("degu.tracking.mlflow_tracker:MLflowTracker._log_batch", 6, False),
    "run": ("degu.tracking.mlflow_tracker:MLflowTracker._create", 2, True),
    "student": ("degu.train.checkpoint:Checkpoint.keep", 10, False),
    "predictions": ("degu.ensemble.cache:np.save", 2, True),
    "report": ("degu.pipeline:_report", 1, False),
}
"""Where the process kills itself: a function, at which call of it, and whether after the call."""


def killing(place, count, after):
    """Let the process die at a call of a function."""
    module, _, names = place.partition(":")
    owner = __import__(module, fromlist=["_"])
    *path, name = names.split(".")
    for part in path:
        owner = getattr(owner, part)
    function, calls = getattr(owner, name), iter(range(1, 10**9))

    @functools.wraps(function)
    def deadly(*args, **kwargs):
        is_last = next(calls) == count
        if is_last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def sitting(folder, arguments, point):
    """Run `degu run` in a process of its own."""
    os.chdir(folder)
    log = os.open("sittings.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if point is not None:
        killing(*POINTS[point])
    from degu.cli import main

    sys.exit(main(["run", *arguments]))


def study_of(folder):
    """Return the one study's folder, or None."""
    found = [path.parent for path in folder.glob("outputs/smoke/*/study.json")]
    assert len(found) <= 1, f"{len(found)} studies"
    return found[0] if found else None


def contents(study):
    """Return the files that have to be equal."""
    names = ["results.json", "comparison.txt", "evaluation/curves.json"]
    paths = [*(study / name for name in names), *(study / "weights").glob("*.h5"), *(study / "histories").glob("*")]
    return {str(path.relative_to(study)): path.read_bytes() for path in paths}


def finished_weights(study):
    """Return when each finished weight file was written."""
    if study is None:
        return {}
    from degu.train.records import finished, read_record

    paths = list((study / "weights").glob("*.weights.h5"))
    records = {path: read_record(path) for path in paths}
    return {path: path.stat().st_mtime_ns for path, record in records.items() if record and finished(path, record.seed)}


def check_runs(folder):
    """Check the runs with the tracker."""
    from degu.tracking.backend import load_client

    client = load_client(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    state = json.loads((study_of(folder) / "study.json").read_text())
    assert sorted(state["runs"]) == ["member-00", "member-01", "student", "study"]
    for name, run_id in state["runs"].items():
        run = client.get_run(run_id)
        assert run.info.status == "FINISHED", f"{name} is {run.info.status}"
        for key in run.data.metrics:
            steps = [metric.step for metric in client.get_metric_history(run_id, key)]
            # every sitting has seconds of its own
            assert len(steps) == len(set(steps)) or key.startswith("seconds/"), f"{name}: {key} at {steps}"
            if key == "train/loss":
                assert sorted(steps) == list(range(4)), f"{name}: {key} at {steps}"


class Killer:
    """Runs sittings from a process that has imported everything."""

    def __init__(self):
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["degu.pipeline", "degu.tracking.mlflow_tracker", "mlflow", "hydra"])

    def run(self, folder, arguments, point=None, seconds=None):
        """Run one sitting, kill it if so many seconds are given, and return its exit status."""
        process = self.context.Process(target=sitting, args=(str(folder), arguments, point))
        process.start()
        if seconds is not None:
            while process.is_alive() and study_of(folder) is None:
                time.sleep(0.01)
            process.join(seconds)
            process.kill()
        process.join(300)
        assert process.exitcode is not None, "a sitting hangs"
        return process.exitcode

    def study(self, arguments, kills):
        """Run a study with interruptions and return what it ended with, and how the interruptions went."""
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            notes = []
            for kill in kills:
                status = self.run(folder, arguments, **kill)
                study = study_of(folder)
                is_done = study is not None and json.loads((study / "study.json").read_text())["complete"]
                before = finished_weights(study)
                notes.append("too late" if is_done else f"killed with {len(before)} of 3 networks finished")
                assert status == (0 if is_done else -signal.SIGKILL), self.said(folder)
                if not is_done:
                    last = kill is kills[-1]
                    if last:
                        assert self.run(folder, arguments) == 0, self.said(folder)
                        after = finished_weights(study_of(folder))
                        assert {path: after[path] for path in before} == before, "finished weights are written again"
            if not kills:
                assert self.run(folder, arguments) == 0, self.said(folder)
            check_runs(folder)
            study = study_of(folder)
            hidden = [path.name for path in study.rglob(".*")] + [path.name for path in study.rglob("*.state.npz")]
            assert not hidden, hidden
            return contents(study), notes

    @staticmethod
    def said(folder):
        """Return the end of what the sittings have said."""
        with contextlib.suppress(OSError):
            return (folder / "sittings.log").read_text()[-3000:]
        return "nothing"


def say(line):
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main():
    """Kill studies as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=0, help="studies killed at a random moment")
    parser.add_argument("--points", nargs="*", choices=list(POINTS), help="named moments; all if none is named")
    parser.add_argument("--in-a-row", action="store_true", help="one study, killed at every one of the moments")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("overrides", nargs="*", default=[], help="further overrides of the study")
    options = parser.parse_args()
    arguments = [*TINY, *(text for text in options.overrides if "=" in text)]
    killer = Killer()
    start = time.perf_counter()
    expected, _ = killer.study(arguments, [])
    whole = time.perf_counter() - start
    say(f"uninterrupted: {whole:.1f} s, {len(expected)} files")
    points = list(POINTS) if options.points == [] else options.points or []
    plans = [(point, [{"point": point}]) for point in points]
    if options.in_a_row:
        plans = [(", ".join(points), [{"point": point} for point in points])]

    def is_equal(name, kills):
        found, notes = killer.study(arguments, kills)
        different = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        say(f"{name}: {'; '.join(notes)}; then {f'DIFFERENT: {different}' if different else 'equal'}")
        return not different, "killed with" in "".join(notes)

    if not all(is_equal(name, kills)[0] for name, kills in plans):
        return 1
    generator, killed = random.Random(options.seed), 0
    while killed < options.random:  # a study that was over before its moment does not count
        seconds = generator.uniform(0, 0.8 * whole)
        same, in_time = is_equal(f"{seconds:.2f} s", [{"seconds": seconds}])
        killed += in_time
        whole = whole if in_time else max(0.9 * whole, 1.0)
        if not same:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
