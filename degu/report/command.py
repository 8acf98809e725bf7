"""The command `degu report`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

HELP = "write the report of a study as one HTML page"


def add_report(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser("report", help=HELP, description=f"{HELP[0].upper()}{HELP[1:]}.")
    parser.add_argument("study", help="its output folder; or its run id, whose artifacts are fetched")
    parser.add_argument(
        "-o", "--output", type=Path, help="the page (default: report.html in the folder, or report-ID.html)"
    )
    parser.add_argument("--tracking-uri", "--uri", default=None, help="tracking URI of a run id (default: local store)")
    parser.add_argument("--root", default="mlruns", help="folder of the local store (default: mlruns)")
    parser.set_defaults(action=report)


def report(options: argparse.Namespace) -> int:
    """Write the report that the options ask for and print its path.

    Raises:
        DeguError: When there is no such study.
    """
    from degu.report.page import write_report
    from degu.tracking.fetching import located_study

    with located_study(options.study, options.tracking_uri, options.root) as (folder, run_id):
        own = Path(f"report-{run_id[:12]}.html") if run_id else None
        path = write_report(folder, options.output or own)
    sys.stdout.write(f"{path}\n")
    return 0
