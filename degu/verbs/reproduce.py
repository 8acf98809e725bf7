"""The command `degu reproduce`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.errors import ConfigError
from degu.quiet import quiet_native_stderr
from degu.verbs.options import add_allow, located, tolerance

if TYPE_CHECKING:
    from degu.reproduce.rerun import Reproduction

MOVED = 1
"""Exit status of a study that differs."""

HELP = "run a study again from its frozen config, or check that it is untouched"
DESCRIPTION = """\
Run a study again from the config that it has written down, into a new folder, and compare the numbers. What differs
in code, versions, machine and data is reported. The status is 0 where no metric has moved by more than the tolerance,
and 1 otherwise.

With --check nothing is trained. Config, weights, rows of data and files are compared with the digests that the study
wrote down at its end, and its metrics are computed again from the stored weights. The status is 0 for an untouched
study, and 1 with a table of what has changed otherwise.

A study's config is code of whoever made it. Code outside of degu, keras and evoaug_tf is refused unless --allow names
its package.
"""


def add_reproduce(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser(
        "reproduce", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", help="output folder or exported folder of a study; or its run id")
    parser.add_argument("--check", action="store_true", help="compare the study with itself; nothing is trained")
    parser.add_argument(
        "--tolerance", type=tolerance, default=0.0, help="largest difference of a metric that is none (default: 0)"
    )
    parser.add_argument("--data", metavar="PATH", help="where the data file is now; short for --moved data.path=PATH")
    parser.add_argument(
        "--moved",
        action="append",
        default=[],
        metavar="LEAF=PATH",
        help="another file of the config that lies elsewhere now",
    )
    parser.add_argument("--device", help="auto, cpu, gpu or gpu:INDEX (default: what the study asked for)")
    add_allow(parser)
    parser.add_argument("-o", "--output", type=Path, help="new folder (default: outputs/reproductions/...)")
    parser.add_argument("--tracking-uri", "--uri", default=None, help="store of the runs (default: the local store)")
    parser.add_argument("--root", default="mlruns", help="folder of the local store (default: mlruns)")
    parser.add_argument("--experiment", default="degu", help="experiment of the new run (default: degu)")
    parser.add_argument("--no-tracking", action="store_true", help="do not record the new study")
    parser.set_defaults(action=reproduce)


def reproduce(options: argparse.Namespace) -> int:
    """Reproduce or check what the options name; prints a table and, as the last line, what was found as JSON.

    Raises:
        DeguError: When the study cannot be read or run.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    if options.allow:
        sys.path.insert(0, str(Path.cwd()))
    from degu.tracking.fetching import LARGE

    with located(options, LARGE if options.check else ()) as found:
        return (_check if options.check else _rerun)(options, found.folder, found.name)


def _places(options: argparse.Namespace) -> dict[str, str]:
    places = {}
    for text in ([f"data.path={options.data}"] if options.data else []) + options.moved:
        leaf, equals, place = text.partition("=")
        if not (leaf and equals and place):
            raise ConfigError(f"Expected --moved LEAF=PATH, for example data.path=my.tsv. Received: {text!r}")
        places[leaf] = place
    return places


def _check(options: argparse.Namespace, folder: Path, name: str) -> int:
    with quiet_native_stderr():
        from degu.reproduce.check import check_study
    from degu.manifest.finding import findings_table
    from degu.report.table import aligned

    found = check_study(folder, options.tolerance, options.device, options.allow, _places(options))
    if found:
        sys.stdout.write("\n".join(aligned(findings_table(found))) + "\n\n")
    else:
        sys.stdout.write("Untouched: config, weights, data and files are those of the study, and its metrics follow.\n")
    sys.stdout.write(json.dumps({"study": name, "untouched": not found, "differences": len(found)}) + "\n")
    return MOVED if found else 0


def _rerun(options: argparse.Namespace, folder: Path, name: str) -> int:
    with quiet_native_stderr():
        from degu.reproduce.rerun import reproduce_study
    from degu.tracking import MLflowTracker, NullTracker

    output = options.output or Path("outputs") / "reproductions" / f"{name[:40]}_{datetime.now():%Y-%m-%d_%H-%M-%S_%f}"
    if output.is_dir() and any(output.iterdir()):
        raise ConfigError(f"Expected -o to name a new or empty folder. Received: {output}, which is not empty")
    tracker = (
        NullTracker() if options.no_tracking else MLflowTracker(options.tracking_uri, options.experiment, options.root)
    )
    found = reproduce_study(
        folder,
        tracker,
        output.absolute(),
        name,
        options.tolerance,
        options.device,
        options.allow,
        _places(options),
    )
    sys.stdout.write(_page(found, options.tolerance))
    return MOVED if found.moved else 0


def _page(found: Reproduction, tolerance: float) -> str:
    """Return what differs, the metrics side by side, and a line of JSON."""
    from degu.manifest.finding import findings_table
    from degu.report.table import aligned
    from degu.reproduce.numbers import pairs_table

    lines = ["", "What differs beside the numbers:"]
    lines += aligned(findings_table(found.circumstances)) if found.circumstances else ["nothing"]
    lines += ["", f"{len(found.moved)} of {len(found.pairs)} metrics moved by more than {tolerance:g}:"]
    lines += aligned(pairs_table(found.moved or [pair for pair in found.pairs if pair.name.startswith("test/")], 30))
    summary = {
        "run_id": found.run_id,
        "output_dir": str(found.output_dir),
        "moved": len(found.moved),
        "results_identical": found.identical,
    }
    return "\n".join([*lines, "", json.dumps(summary)]) + "\n"
