"""The command line: `degu run`, `degu runs`."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from degu import __version__
from degu.errors import DeguError, Terminated, user_message
from degu.quiet import quiet_native_stderr
from degu.report.command import add_report
from degu.signals import ended_by_signal
from degu.verbs.attribute import add_attribute
from degu.verbs.compare import add_compare
from degu.verbs.completion import add_completion
from degu.verbs.data import add_data
from degu.verbs.exchange import add_exchange
from degu.verbs.export_student import add_export_student
from degu.verbs.predict import add_predict
from degu.verbs.reproduce import add_reproduce
from degu.verbs.variants import add_variants

USER_ERROR = 2

RUN_HELP = """\
usage: degu run [-m] [key=value ...] [--debug]

Train an ensemble, distil it into a student, compare both with single models, and record everything.

  degu run experiment=smoke                    a whole tiny study in less than a minute
  degu run data=table data.path=my.tsv data.targets='[Dev,Hk]'
  degu run model=deepstarr ensemble.num_ensemble=10 seed=1
  degu run -m seed=0,1,2                       several studies, one after the other
  degu run -m experiment='glob(*)' launcher=joblib hydra.launcher.n_jobs=2
  degu run -m sweeper=optuna 'trainer.initial_lr=tag(log,interval(1e-4,1e-2))' hydra.sweeper.n_trials=20

Options:
  -m, --multirun       a sweep: run every combination of comma-separated values, glob(...) and range(...), or search
                       with sweeper=optuna; the same command goes on where an interrupted sweep stopped
  --cfg job            print the composed config and stop
  --config-dir DIR     a folder with config groups of your own
  --allow PACKAGE      a package beside those of degu whose code the configs may run, such as your own; may be repeated;
                       looked for in this folder too
  --debug              show the traceback of an error

Groups and their choices (group=choice; then group.key=value changes one value):
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    It is 0, or 2 on an error that is the user's to mend, 130 after Ctrl-C and 143 after SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    try:
        with ended_by_signal():
            return _dispatch(arguments)
    except Terminated:
        sys.stderr.write("degu: asked to end\n")
        return 143
    except KeyboardInterrupt:
        sys.stderr.write("degu: interrupted\n")
        return 130
    except Exception as error:
        message = None if debug else user_message(error)
        if message is None:
            raise
        sys.stderr.write(f"degu: {message}\n")
        return USER_ERROR


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        return _run(arguments[1:])
    options = _parser().parse_args(arguments)
    return options.action(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="degu",
        description="Ensembles of sequence-to-activity models, distilled into one student that knows how sure it is.",
    )
    parser.add_argument("--version", action="version", version=f"degu {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(action=lambda _: parser.error(f"expected a command: {', '.join(verbs.choices)}"))
    verbs.add_parser("run", help="run a study: data, ensemble, student, comparison", add_help=False)
    add_report(verbs)
    add_compare(verbs)
    add_predict(verbs)
    add_attribute(verbs)
    add_variants(verbs)
    add_data(verbs)
    add_reproduce(verbs)
    add_export_student(verbs)
    add_completion(verbs, _parser)
    runs = verbs.add_parser("runs", help="look at recorded studies")
    runs.set_defaults(action=lambda _: runs.error("expected a command: list, show, export, import, sync"))
    kinds = runs.add_subparsers(title="commands", metavar="COMMAND")
    listing = kinds.add_parser("list", help="one line a study or sweep, newest first")
    listing.add_argument("--limit", type=int, default=20, help="how many (default: 20)")
    listing.add_argument("--all", action="store_true", help="every study of a sweep too (default: a line a sweep)")
    listing.set_defaults(action=_list_runs)
    showing = kinds.add_parser("show", help="everything about one study or sweep")
    showing.add_argument("run_id", help="its run id, or the first characters of it")
    showing.set_defaults(action=_show_run)
    add_exchange(kinds)
    for command in (listing, showing):
        command.add_argument("--uri", default=None, help="tracking URI (default: the local store)")
        command.add_argument("--root", default="mlruns", help="folder of the local store (default: mlruns)")
    return parser


def _run(arguments: list[str]) -> int:
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(_run_help())
        return 0
    from degu.allowed import pass_on, take_allowed
    from degu.config import check_overrides, config_dir, options_first

    allowed, arguments = take_allowed(arguments)
    check_overrides(arguments, allowed)
    pass_on(allowed)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if allowed:
        sys.path.insert(0, str(Path.cwd()))
    import hydra

    job = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")(_job)
    command, sys.argv = sys.argv, ["degu", *options_first(arguments)]
    try:
        with _hydra_passes_errors_on(is_multirun=bool({"-m", "--multirun"} & set(arguments))):
            job()
    finally:
        sys.argv = command
    return 0


@contextlib.contextmanager
def _hydra_passes_errors_on(is_multirun: bool) -> Iterator[None]:
    """Let the errors of a study reach `main`; Hydra would print a traceback of its own and end the process."""
    if is_multirun or "HYDRA_FULL_ERROR" in os.environ:
        yield
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


def _run_help() -> str:
    from degu.config import config_dir, groups

    lines = [f"  {group:<12} {', '.join(choices)}" for group, choices in groups(config_dir()).items()]
    return RUN_HELP + "\n".join(lines) + "\n"


def _job(config: Any) -> float | None:
    """Run one study; Hydra calls this once, or once a combination of a multirun."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from degu.allowed import TRUSTED, passed_on
    from degu.config import build, check_targets
    from degu.sweeps.attempt import attempt
    from degu.sweeps.job import is_job, own_overrides, run_job

    hydra = HydraConfig.get()
    output_dir = Path(hydra.runtime.output_dir).absolute()
    if hydra.mode == RunMode.MULTIRUN and is_job(output_dir):
        return run_job(config, output_dir, hydra)
    try:
        with quiet_native_stderr():
            from degu.pipeline import plan, run

        check_targets(config, (*TRUSTED, *passed_on()))
        command = ["degu", "run", *own_overrides(hydra.overrides.task)]
        with attempt(output_dir, build(config.tracking)) as attempted:
            planned, folder = plan(config), output_dir
            is_named = any(text.startswith("hydra.run.dir=") for text in hydra.overrides.hydra)
            if config.resume and hydra.mode == RunMode.RUN and attempted.job is None and not is_named:
                folder = _where_to_go_on(output_dir, planned.content)
            result = run(config, attempted.tracker, folder, command, planned)
            attempted.finish(result.objective)
    except (DeguError, OSError) as error:
        _leave_no_empty_folder(output_dir)
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        sys.stderr.write(f"degu: {user_message(error)}\n")
        raise SystemExit(USER_ERROR) from error
    summary = {"run_id": result.run_id, "output_dir": str(result.output_dir), "objective": result.objective}
    sys.stdout.write(f"\n{result.table}\n\n{json.dumps(summary)}\n")
    sys.stdout.flush()
    return result.objective


def _where_to_go_on(output_dir: Path, content: Any) -> Path:
    """Return the folder of an interrupted study of the same content beside a new output folder, or the new one."""
    from degu.study_folder import interrupted

    found = interrupted(output_dir.parent, content)
    if found is None or found == output_dir:
        return output_dir
    _log_into(found, output_dir)
    _leave_no_empty_folder(output_dir)
    return found


def _log_into(folder: Path, instead_of: Path) -> None:
    """Append the log, which Hydra has begun in one folder, to that of another."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == instead_of:
            moved = logging.FileHandler(folder / Path(handler.baseFilename).name)
            moved.setFormatter(handler.formatter)
            moved.setLevel(handler.level)
            root.addHandler(moved)
            root.removeHandler(handler)
            handler.close()


def _leave_no_empty_folder(folder: Path) -> None:
    """Remove the output folder of a study that failed before it wrote anything but its log and its state."""
    from degu.study_folder import LOCK, STATE

    unimportant = ("degu.log", STATE, LOCK)
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - {*unimportant}:
        return
    for name in unimportant:
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _list_runs(options: argparse.Namespace) -> int:
    from degu.report.runs import studies_table
    from degu.tracking import list_studies

    sys.stdout.write(studies_table(list_studies(options.uri, options.root, options.limit, options.all)) + "\n")
    return 0


def _show_run(options: argparse.Namespace) -> int:
    from degu.report.runs import study_page
    from degu.tracking import show_study

    sys.stdout.write(study_page(show_study(options.run_id, options.uri, options.root)) + "\n")
    return 0
