"""The commands and what they take, as the commands themselves say it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from degu import cli


def pages() -> dict[str, str]:
    """Return the page of all commands."""
    os.environ["COLUMNS"] = "100"
    parts = [
        "# Commands",
        "An error that the user can mend is one line on stderr and exit status 2; `--debug` shows its traceback.",
    ]
    for name, text in _helps(cli._parser(), "degu"):
        parts += [f"## {name}", f"```text\n{text.strip()}\n```"]
    return {"reference/commands.md": "\n\n".join(parts) + "\n"}


def _helps(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, str]]:
    yield name, cli._run_help() if name == "degu run" else parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, inner in action.choices.items():
                yield from _helps(inner, f"{name} {verb}")
