"""Options that commands on a trained study share, and what has to happen before they load it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from degu.errors import DataError
from degu.quiet import quiet_native_stderr

if TYPE_CHECKING:
    from degu.tracking.fetching import Located
    from degu.trained import TrainedStudy

MODELS = ("ensemble", "student")


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Add the study and how it is loaded."""
    add_study(parser)
    parser.add_argument("--model", choices=MODELS, default="ensemble", help="which model (default: ensemble)")
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu or gpu:INDEX (default: auto)")
    add_allow(parser)


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add the study, by folder or run, and the store of the run."""
    parser.add_argument(
        "study", help="output folder of a study (output_dir in the last line of degu run); or its run id"
    )
    add_store(parser)


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the store that the run of a study is in."""
    parser.add_argument("--tracking-uri", "--uri", default=None, help="store of a run id (default: the local store)")
    parser.add_argument("--root", default="mlruns", help="folder of the local store (default: mlruns)")


def add_allow(parser: argparse.ArgumentParser) -> None:
    """Add the packages whose code a study's config may name."""
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="a package beside those of degu whose code the study's config may run; looked for in this folder too",
    )


def positive(text: str) -> int:
    """Read an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def probability(text: str) -> float:
    """Read a number above 0 and below 1."""
    value = float(text)
    if not 0 < value < 1:
        raise ValueError
    return value


def tolerance(text: str) -> float:
    """Read a number of at least 0."""
    value = float(text)
    if not value >= 0:
        raise ValueError
    return value


@contextmanager
def located(options: argparse.Namespace, also: Collection[str] = ()) -> Iterator[Located]:
    """Yield the folder of the study that the options name; see `degu.tracking.fetching.located_study`.

    Raises:
        DeguError: When there is no such study.
    """
    from degu.tracking.fetching import located_study

    with located_study(options.study, options.tracking_uri, options.root, also) as found:
        yield found


@contextmanager
def open_study(options: argparse.Namespace) -> Iterator[tuple[TrainedStudy, str]]:
    """Load the study that the options name; yields it and its run id, which is empty for a folder.

    Raises:
        DeguError: When it cannot be loaded.
    """
    with located(options, ("weights",)) as found:
        yield _loaded(options, found.folder), found.run_id


def _loaded(options: argparse.Namespace, folder: Path) -> TrainedStudy:
    if not (folder / "config.yaml").is_file():
        raise DataError(
            f"{folder}: expected the output folder of a study, with config.yaml, received something else. "
            "degu run names it in its last line (output_dir)."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    if options.allow:
        sys.path.insert(0, str(Path.cwd()))
    with quiet_native_stderr():
        from degu.trained import load_study

    return load_study(folder, options.device, options.allow)
