"""What every benchmark needs: the environment, calls timed in turn, memory, a table, a result file.

Numbers are compared as ratios of one run. Calls are timed in rounds, one after the other in every round, so that a
change of the machine's load meets all of them; a ratio is the median of the ratios of the rounds. Beside the time by
the clock stands the time that the processor worked for this process, which other programs change less. The load average
in a result says how quiet the machine was before it.

    options = parser(__doc__).parse_args()
    seconds = alternate({"plain": plain, "quick": quick}, repeats=9)
    result = {"speedup": ratio(seconds, "plain", "quick")._asdict()}
    report(options, result)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FOLDER = Path(__file__).parent
MEGABYTE = 2**20
_MEASURED = """
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:], pass_fds=(), close_fds=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), f"{used.ru_maxrss} {used.ru_utime + used.ru_stime}".encode())
sys.exit(code)
"""


class Ratio(NamedTuple):
    """How many times as long one call takes as another.

    Attributes:
        median: Median over the rounds.
        low: First quartile.
        high: Third quartile.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


class Finished(NamedTuple):
    """A command that has ended.

    Attributes:
        seconds: Wall-clock time from its start to its end.
        peak: Largest resident memory of it or of one of its own children, in bytes.
        output: What it wrote to its standard output.
        code: Its exit status.
        worked: Seconds of processor time of it and its children.
    """

    seconds: float
    peak: int
    output: str
    code: int
    worked: float


def environment(*packages: str) -> dict[str, Any]:
    """Return what the numbers belong to: device, cores, backend, versions, commit and the load of the last minute.

    Args:
        packages: Distributions whose versions are named beside those of Keras, its backend and NumPy.
    """
    import keras

    backend = keras.backend.backend()
    return {
        "device": device(backend),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "backend": backend,
        **{name: _version(name) for name in dict.fromkeys(("keras", backend, "numpy", *packages))},
        "commit": commit(),
        "load": round(os.getloadavg()[0], 1),
    }


def device(backend: str) -> str:
    """Return the name of the device that a Keras backend computes on."""
    if backend == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"


def cpu_name() -> str:
    """Return the name of the processor, or of its family where the system does not tell."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str | None:
    """Return the short commit of the checkout, with a plus sign when files differ from it; None without git."""
    try:
        head, changes = (
            subprocess.run(["git", *command], cwd=FOLDER, capture_output=True, text=True, check=True).stdout.strip()
            for command in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changes else "")


class Seconds(dict[str, list[float]]):
    """Seconds by the clock of every timed round, by the name of a call.

    Attributes:
        processor: The same in seconds of processor time of this process, all threads together.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__({name: [] for name in names})
        self.processor: dict[str, list[float]] = {name: [] for name in names}


def alternate(calls: Mapping[str, Callable[[], Any]], repeats: int, warmup: int = 1) -> Seconds:
    """Time calls in turn.

    Args:
        calls: What to time, by name. A call returns when its work is done: it converts its result to NumPy.
        repeats: Timed rounds.
        warmup: Rounds before them, which are not timed.

    Returns:
        Seconds of every round for each call. Every other round goes through the calls backwards.
    """
    names = list(calls)
    seconds = Seconds(names)
    for turn in range(warmup + repeats):
        for name in names if turn % 2 == 0 else names[::-1]:
            start, worked = time.perf_counter(), time.process_time()
            calls[name]()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - start)
                seconds.processor[name].append(time.process_time() - worked)
    return seconds


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of one call and what it returned; for what happens once, such as a first call."""
    start = time.perf_counter()
    value = call()
    return time.perf_counter() - start, value


def ratio(seconds: Mapping[str, Sequence[float]], slow: str, fast: str) -> Ratio:
    """Return how many times as long `slow` takes as `fast`, from calls that were timed in turn."""
    return Ratio(*_quartiles([a / b for a, b in zip(seconds[slow], seconds[fast], strict=True)]))


def processor_ratio(seconds: Seconds, slow: str, fast: str) -> Ratio:
    """Return how many times as much processor time `slow` takes as `fast`."""
    return ratio(seconds.processor, slow, fast)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> float:
    """Return the distance of the quartiles as a share of the median."""
    middle, low, high = _quartiles(values)
    return (high - low) / middle


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the exponent e of `seconds = c * size ** e`, fitted by least squares of the logarithms."""
    import numpy as np

    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measured(command: Sequence[str], env: Mapping[str, str] | None = None, quiet: bool = False) -> Finished:
    """Run a command and measure its time and peak memory.

    The command is started by a small Python process, because a process inherits the peak of the one that starts it;
    peaks below that of a bare interpreter (about 10 MB) cannot be told apart.

    Args:
        command: Program and arguments.
        env: Variables beside those of this process.
        quiet: Discard what it writes to its standard error.
    """
    reading, writing = os.pipe()
    launcher = [sys.executable, "-I", "-S", "-c", _MEASURED, str(writing), *command]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            launcher,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            text=True,
            pass_fds=(writing,),
            env={**os.environ, **(env or {})},
        )
    finally:
        os.close(writing)
    seconds = time.perf_counter() - start
    with os.fdopen(reading) as pipe:
        peak, worked = (pipe.read() or "0 0").split()
    return Finished(seconds, 1024 * int(peak), done.stdout, done.returncode, float(worked))


def memory() -> dict[str, int]:
    """Return the resident memory of this process in bytes (Linux).

    Returns:
        `"now"`: anonymous and shared pages (RssAnon + RssShmem), which the kernel cannot drop as it can pages of files;
        `"peak"`: the largest resident set so far (VmHWM), pages of files included.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = {name: value for name, _, value in (line.partition(":") for line in lines)}
    size = {name: 1024 * int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem", "VmHWM")}
    return {"now": size["RssAnon"] + size["RssShmem"], "peak": size["VmHWM"]}


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of aligned columns; floats with three significant digits, the first column to the left."""
    cells = [list(headers), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in cells)
    )


def parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the help of a benchmark and `--json [FILE]`."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    stored = FOLDER / "results" / f"{Path(sys.argv[0]).stem}.json"
    made.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=stored,
        metavar="FILE",
        help=f"store the numbers (default: benchmarks/results/{stored.name})",
    )
    return made


def announce(found: Mapping[str, Any]) -> None:
    """Print the environment in one line."""
    print("  ".join(f"{key} {value}" for key, value in found.items()), flush=True)


def report(options: argparse.Namespace, result: Mapping[str, Any], found: Mapping[str, Any] | None = None) -> None:
    """Store a result with its environment and options, if `--json` asks for it.

    Args:
        options: What `parser` parsed.
        result: Numbers, under any names.
        found: The environment; by default `environment()`.
    """
    if options.json is None:
        return
    asked = {name: value for name, value in vars(options).items() if name != "json"}
    content = {"environment": dict(found or environment()), "options": asked, "result": dict(result)}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return median, first and third quartile."""
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else str(_rounded(value))


def _rounded(value: Any) -> Any:
    return round(value) if isinstance(value, float) else value


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
