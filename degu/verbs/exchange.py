"""The commands `degu runs export`, `degu runs import` and `degu runs sync`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from degu.verbs.options import add_allow, positive

EXPORT = """\
Write a study as a plain folder, or as an archive: config, results, report, figures, weights, predictions, histories,
and its runs as JSON and CSV. It is readable without degu; a README in it says what is where. The data are not part of
it.
"""
IMPORT = """\
Record an exported study in a tracking store, with the parameters, tags, measurements, times and files that it had.

An archive comes from somebody else: entries that lead out of its folder, links, devices and more bytes than allowed are
refused before anything is written, and so is a config that names code outside of degu, keras and evoaug_tf.
"""

SYNC = """\
Record what a study could not record because its tracking store did not answer. It waits in the folder `unsent` of the
study; nothing is recorded twice.
"""


def add_exchange(kinds: Any) -> None:
    """Add the commands to the subcommands of `degu runs`.

    Args:
        kinds: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    export = kinds.add_parser(
        "export",
        help="write a study as a plain folder or archive",
        description=EXPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("study", help="its output folder, or its run id")
    export.add_argument("target", type=Path, help="new folder, or archive: .tar.gz, .tgz, .tar or .zip")
    export.set_defaults(action=export_runs)
    taking = kinds.add_parser(
        "import",
        help="take an exported study into a tracking store",
        description=IMPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    taking.add_argument("source", type=Path, help="exported folder, or archive")
    taking.add_argument(
        "-o", "--output", type=Path, help="new folder for the files of an archive (default: outputs/imported/NAME)"
    )
    taking.add_argument("--experiment", default="degu", help="experiment of the runs (default: degu)")
    add_allow(taking)
    taking.add_argument(
        "--max-size", type=positive, default=4, metavar="GIB", help="what an archive may unpack to (default: 4)"
    )
    taking.set_defaults(action=import_runs)
    sync = kinds.add_parser("sync", help="record what a study could not record while it ran", description=SYNC)
    sync.add_argument("folder", type=Path, help="output folder of the study")
    sync.set_defaults(action=sync_runs)
    for command in (export, taking, sync):
        command.add_argument("--uri", "--tracking-uri", default=None, help="tracking URI (default: the local store)")
        command.add_argument("--root", default="mlruns", help="folder of the local store (default: mlruns)")


def export_runs(options: argparse.Namespace) -> int:
    """Export the study that the options name and print what was written.

    Raises:
        DeguError: When it cannot be exported.
    """
    from degu.exchange import export_study

    written = export_study(options.study, options.target, options.uri, options.root)
    sys.stdout.write(json.dumps({"output": str(written)}) + "\n")
    return 0


def import_runs(options: argparse.Namespace) -> int:
    """Import the study that the options name and print its run and folder.

    Raises:
        DeguError: When it is refused.
    """
    from degu.exchange import import_study

    found = import_study(
        options.source,
        options.output,
        options.uri,
        options.experiment,
        options.root,
        options.allow,
        options.max_size * 2**30,
    )
    sys.stdout.write(json.dumps({"run_id": found.run_id, "output_dir": str(found.folder)}) + "\n")
    return 0


def sync_runs(options: argparse.Namespace) -> int:
    """Record what waits in the folder that the options name and print how many calls that took.

    Raises:
        DeguError: When the store does not answer.
    """
    from degu.tracking.syncing import sync_study

    count = sync_study(options.folder, options.uri, options.root)
    sys.stdout.write(json.dumps({"calls": count}) + "\n")
    return 0
