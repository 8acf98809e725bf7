"""Trains the same members serially, stacked, in local processes and in jobs of SLURM, and compares their weight files.

python tests/slurm/equal_members.py                        # what this machine has
python tests/slurm/equal_members.py serial local slurm     # some of them
python tests/slurm/equal_members.py slurm --requeue        # one job is requeued while it trains

Start a SLURM with tests/slurm/start_slurm.sh first. Exit status 0 if all weight files are equal.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDY = [
    *("experiment=smoke", "device=cpu", "data.num_train=256", "data.num_valid=60", "data.num_test=30"),
    *("data.length=40", "model.filters=[8]", "model.dense=8", "trainer.batch_size=16", "trainer.max_epochs=40"),
    *("distill.trainer.max_epochs=2", "evaluation.uncertainty.num_resamples=0", "evaluation.shift=null"),
    *("evaluation.attribution=null", "checkpoint.seconds=0"),
]
WAYS = {
    "serial": ["ensemble.engine=serial"],
    "stacked": ["ensemble.engine=stacked"],
    "local": ["executor=local", "executor.jobs_per_device=2"],
    "slurm": ["executor=slurm", "executor.time_minutes=10"],
}
DEGU = "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))"


def start_now(job):
    """Let a requeued job start: SLURM lets it wait for two minutes otherwise."""
    for _ in range(120):
        ask = ["squeue", "--noheader", f"--jobs={job}", "--format=%T %r"]
        said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split()
        if said == ["PENDING", "BeginTime"]:
            subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=False)
        elif said[:1] != ["COMPLETING"]:
            return
        time.sleep(0.5)


def requeue_one(folder, process):
    """Requeue the job of one member when it has kept the state of an epoch; return which job it was."""
    while process.poll() is None:
        for state in folder.glob("outputs/smoke/*/weights/member_1.state.npz"):
            jobs = subprocess.run(
                ["squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i"],
                capture_output=True, text=True, check=True,
            ).stdout.split()  # fmt: skip
            job = next((job for job in jobs if job.endswith("_1")), None)
            if job is not None and state.exists():
                subprocess.run(["scontrol", "requeue", job], check=True)
                start_now(job)
                return job
        time.sleep(0.05)
    return None


def train(way, arguments, requeue):
    """Run the study one way; return the digests of its weight files and what was said."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        folder = Path(place)
        command = [sys.executable, "-c", DEGU, "run", *STUDY, *WAYS[way], *arguments]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            job = requeue_one(folder, process) if requeue else None
            status = process.wait(timeout=540)
        said = (folder / "log").read_text()
        if status:
            for path in folder.glob("outputs/smoke/*/jobs/*.err"):
                said += f"\n{path.name}:\n{path.read_text()[-2000:]}"
            raise SystemExit(f"{way}: exit status {status}\n{said[-6000:]}")
        if requeue:
            logs = "".join(path.read_text() for path in folder.glob("outputs/smoke/*/jobs/*_1_*.err"))
            if job is None or "goes on after epoch" not in logs:
                raise SystemExit(f"{way}: expected a requeued job that goes on. Received: job {job}\n{logs[-3000:]}")
            sys.stdout.write(f"{way}: job {job} was requeued while it trained, and went on\n")
        (study,) = folder.glob("outputs/smoke/*")
        paths = [*sorted((study / "weights").glob("*.weights.h5")), study / "results.json"]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths}


def main():
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", help=f"{', '.join(WAYS)}; default: all that this machine has")
    parser.add_argument("--requeue", action="store_true", help="requeue one job of SLURM while it trains")
    options = parser.parse_args()
    has_slurm = shutil.which("sbatch") and "SLURM_CONF" in os.environ
    ways = [way for way in options.ways if way in WAYS] or [way for way in WAYS if way != "slurm" or has_slurm]
    arguments = [way for way in options.ways if "=" in way]
    found = {}
    for way in ways:
        found[way] = train(way, arguments, options.requeue and way == "slurm")
        sys.stdout.write(f"{way:<8} {' '.join(f'{name}={digest}' for name, digest in found[way].items())}\n")
        sys.stdout.flush()
    members = {tuple(item for item in one.items() if item[0] != "results.json") for one in found.values()}
    sys.stdout.write("all weight files are equal\n" if len(members) == 1 else "weight files differ\n")
    return 0 if len(members) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
