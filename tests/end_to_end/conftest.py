import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """Return a function that gives the path of a data set beside the checkout, or skips the test."""
    folder = Path(os.environ.get("DEGU_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

    def find(name):
        path = folder / name / f"{name}.tsv.gz"
        if not path.is_file():
            pytest.skip(f"{name} is not in {folder}; the data set is placed by the user")
        return path

    return find


@pytest.fixture(scope="session")
def degu_run(tmp_path_factory):
    """Return a function that runs studies without tracking, in one process of its own, one after the other."""

    def run(*arguments):
        folder = tmp_path_factory.mktemp("studies")
        code = "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "run", *arguments, "tracking=none", "device=cpu"]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        summaries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        # a sweep ends with a line of its own
        return [_study(Path(summary["output_dir"])) for summary in summaries if "jobs" not in summary]

    return run


COMMANDS = """
import contextlib, io, json, os, sys
from degu.cli import main
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(line)
        except SystemExit as exit:
            status = exit.code
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


@pytest.fixture(scope="session")
def degu_commands():
    """Return a function that runs several commands, one after the other in one process of their own."""

    def run(folder, *lines):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS, json.dumps([[str(word) for word in line] for line in lines])],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        assert len(found) == len(lines), done.stderr
        return [SimpleNamespace(status=status, out=out, err=err) for status, out, err in found]

    return run


def _study(folder):
    results = json.loads((folder / "results.json").read_text())
    table = (folder / "comparison.txt").read_text()
    return SimpleNamespace(folder=folder, metrics=results["metrics"], objective=results["objective"], table=table)
