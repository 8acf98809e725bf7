"""The command `degu export-student`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from degu.errors import DataError
from degu.quiet import quiet_native_stderr
from degu.verbs.options import add_study, located

FORMATS = ("keras", "saved_model", "mlflow", "folder")
HELP = "write the student of a study for prediction elsewhere"
DESCRIPTION = """\
Write the student of a study in one of four forms, which answer the same:

  keras        one file, read by keras.models.load_model; one-hot sequences in, columns out
  saved_model  a TensorFlow SavedModel, which TensorFlow and TF Serving load without Keras or degu
  mlflow       an MLflow model with signature and pinned requirements: DNA strings in, columns with intervals out
               (mlflow models serve -m FOLDER --env-manager local)
  folder       what degu itself serves: the network, what its columns mean, calibration and model card
"""


def add_export_student(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser(
        "export-student", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study(parser)
    parser.add_argument("target", type=Path, help="new file (keras) or folder")
    parser.add_argument("--format", choices=FORMATS, default="keras", help="(default: keras)")
    parser.set_defaults(action=export_student)


def export_student(options: argparse.Namespace) -> int:
    """Export the student that the options name and print what was written.

    Raises:
        DeguError: When the study has no student, or the target exists.
    """
    target = options.target
    if target.exists():
        raise DataError(f"{target}: expected a new file or folder, received one that exists.")
    if options.format == "keras" and target.suffix != ".keras":
        raise DataError(f"{target}: expected a name that ends in .keras.")
    with located(options, ("student",)) as found:
        package = found.folder / "student"
        if not (package / "student.json").is_file():
            raise DataError(
                f"{options.study}: expected a finished study with its student (student/student.json), received one "
                "without. Name the folder that `degu run` wrote to (output_dir in its last line)."
            )
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(options.format, package, target)
    sys.stdout.write(json.dumps({"output": str(target)}) + "\n")
    return 0


def _write(form: str, package: Path, target: Path) -> None:
    if form == "keras":
        shutil.copyfile(package / "student.keras", target)
    elif form == "folder":
        shutil.copytree(package, target)
    elif form == "mlflow":
        from degu.tracking.models import save_model

        save_model(package, target)
    else:
        with quiet_native_stderr():
            from degu.serving.package import export_saved_model

            export_saved_model(package, target)
