"""The command `degu completion`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HELP = "print a script that completes commands, options, groups and choices in a shell"
SHELLS = ("bash", "zsh", "fish")
DESCRIPTION = """\
Print a script for a shell. It knows the groups and choices of this version; print it again after an update.

  bash   degu completion bash > ~/.local/share/bash-completion/completions/degu
  zsh    degu completion zsh > ~/.zfunc/_degu       (with fpath+=~/.zfunc before compinit in ~/.zshrc)
  fish   degu completion fish > ~/.config/fish/completions/degu.fish
"""
_RUN_OPTIONS = {"--multirun": None, "--config-dir": Path, "--allow": str, "--cfg": str, "--debug": None, "--help": None}
_BASH = "# `model=deepstarr` is one word\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//=}\n"


def add_completion(verbs: Any, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
        parser: Makes the parser of all commands.
    """
    own = verbs.add_parser(
        "completion", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("shell", choices=SHELLS)
    own.set_defaults(action=lambda options: completion(options, parser()))


def completion(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print the script of a shell."""
    import shtab

    for verb, command in _commands(parser):
        if verb == "run":
            _describe_run(command)
        for action in command._actions:
            if action.type is Path or action.dest in ("study", "studies"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(parser, options.shell, preamble={"bash": _BASH}.get(options.shell, "")) + "\n")
    return 0


def _commands(parser: argparse.ArgumentParser, verb: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield verb, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from _commands(command, name)


def _describe_run(command: argparse.ArgumentParser) -> None:
    """Say what `degu run` takes; Hydra parses it, so that its parser is empty otherwise."""
    from degu.config import config_dir, groups

    for option, kind in _RUN_OPTIONS.items():
        if kind is None:
            command.add_argument(option, action="store_true")
        else:
            command.add_argument(option, type=kind)
    choices = [f"{group}={name}" for group, names in groups(config_dir()).items() for name in names]
    command.add_argument("overrides", nargs="*", choices=choices)
