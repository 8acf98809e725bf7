import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def harness():
    spec = importlib.util.spec_from_file_location("harness", FOLDER / "harness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_calls_are_timed_in_turn_and_warm_rounds_are_left_out(harness):
    calls = []
    seconds = harness.alternate(
        {"slow": lambda: calls.append("slow") or time.sleep(0.02), "fast": lambda: calls.append("fast")}, 3, warmup=1
    )
    assert calls == ["slow", "fast", "fast", "slow"] * 2
    assert len(seconds["slow"]) == len(seconds["fast"]) == 3
    assert min(seconds["slow"]) >= 0.02 > max(seconds["fast"])


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds(harness):
    ratio = harness.ratio({"plain": [2.0, 30.0, 4.0], "quick": [1.0, 10.0, 4.0]}, "plain", "quick")
    assert ratio == (2.0, 1.5, 2.5)
    assert str(ratio) == "2.00 (1.50 to 2.50)"
    assert harness.ratio({"a": [6.0], "b": [2.0]}, "a", "b") == (3.0, 3.0, 3.0)


def test_the_spread_is_that_of_the_quartiles(harness):
    assert harness.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert harness.median([3.0, 1.0, 2.0]) == 2.0


def test_an_exponent_is_found_again(harness):
    sizes = [1, 10, 100]
    assert harness.exponent(sizes, [3.0 * size**0.7 for size in sizes]) == pytest.approx(0.7)


def test_the_peak_of_a_command_is_measured(harness):
    small = harness.measured([sys.executable, "-c", "print('done')"])
    large = harness.measured([sys.executable, "-c", "bytearray(200 * 2**20)"], env={"UNUSED": "1"})
    assert (small.output, small.code, large.code) == ("done\n", 0, 0)
    assert 180 < (large.peak - small.peak) / harness.MEGABYTE < 220
    assert harness.measured([sys.executable, "-c", "raise SystemExit(3)"]).code == 3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_of_this_process_grows_with_what_it_holds(harness):
    before = harness.memory()["now"]
    held = bytearray(b"x") * (64 * 2**20)
    assert 60 < (harness.memory()["now"] - before) / harness.MEGABYTE < 70
    assert harness.memory()["peak"] >= len(held)


def test_a_table_is_aligned(harness):
    lines = harness.table(["name", "ms"], [["a", 1.23456], ["longer", 12345.6], ["none", None]]).splitlines()
    assert lines == ["name       ms", "a        1.23", "longer  12346", "none     None"]


def test_results_are_stored_with_environment_and_options(harness, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prediction.py"])
    options = harness.parser("doc").parse_args(["--json"])
    assert options.json == FOLDER / "results" / "prediction.json"
    options.json = tmp_path / "new" / "result.json"
    harness.report(options, {"ratio": 3.0}, {"device": "CPU"})
    stored = json.loads(options.json.read_text())
    assert stored == {"environment": {"device": "CPU"}, "options": {}, "result": {"ratio": 3.0}}
    harness.report(argparse.Namespace(json=None), {})


def test_the_environment_names_device_and_versions_and_no_path(harness):
    found = harness.environment("tensorflow", "no-such-distribution")
    assert found["cores"] >= 1
    assert found["keras"]
    assert found["no-such-distribution"] is None
    assert "/" not in json.dumps({key: value for key, value in found.items() if key != "cpu"})


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_runs_every_benchmark_and_not_their_parts():
    command = ["make", "--dry-run", "--no-print-directory", "SETUP=", "bench"]
    recipe = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=True).stdout
    named = {word.rstrip(";") for word in recipe.split() if word.startswith("benchmarks/")}
    parts = {f"benchmarks/{name}.py" for name in ("harness", "workload", "limits", "gpu")}
    assert named == {f"benchmarks/{path.name}" for path in FOLDER.glob("*.py")} - parts


def test_processor_time_is_that_of_the_work_and_not_of_waiting(harness):
    def work():
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    seconds = harness.alternate({"work": work, "wait": lambda: time.sleep(0.05)}, 3)
    assert min(seconds["wait"]) >= 0.05
    assert max(seconds.processor["wait"]) < 0.04 < min(seconds.processor["work"])
    assert harness.processor_ratio(seconds, "work", "wait").median > 2
