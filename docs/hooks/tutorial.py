"""The tutorial as a notebook: executed from its Markdown source, and shown as a page with its outputs.

`python docs/hooks/tutorial.py` runs every cell of `docs/tutorial.md` in an empty folder and writes
`docs/tutorial.ipynb`. With `--quick` networks are trained for two epochs and nothing is written: it shows that every
command works, and an error of any cell is an error of the command. With `--text` nothing runs: a change of the text
alone is taken over.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import jupytext
import nbformat

SOURCE = Path(__file__).parents[1] / "tutorial.md"
EXECUTED = SOURCE.with_suffix(".ipynb")
QUICK = """#!/bin/sh
if [ "$1" = run ]; then exec {degu} "$@" trainer.max_epochs=2 distill.trainer.max_epochs=2; fi
exec {degu} "$@"
"""
HEADER = "---\njupyter:\n  kernelspec:\n    display_name: Python 3\n    language: python\n    name: python3\n---\n\n"
NOT_IN_CELLS = {"metadata", "id", "execution_count", "outputs"}


def unexecuted() -> Any:
    """Return the source as a notebook: Python in cells of its own, commands for a shell in cells with `%%bash`."""
    return jupytext.reads(HEADER + SOURCE.read_text(encoding="utf-8"), fmt="md")


def cells() -> list[dict[str, Any]]:
    """Return the cells of the source, with nothing that a run adds."""
    return [_bare(cell) for cell in unexecuted().cells]


def is_current() -> bool:
    """Whether the executed notebook has the cells of the source."""
    return [_bare(cell) for cell in nbformat.read(EXECUTED, as_version=4).cells] == cells()


def take_text() -> Any:
    """Return the executed notebook with the text of the source.

    Raises:
        SystemExit: When a cell of code has changed, which has to be run.
    """
    notebook, source = nbformat.read(EXECUTED, as_version=4), unexecuted()
    code = [cell.source for cell in source.cells if cell.cell_type == "code"]
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if code != [cell.source for cell in ran]:
        sys.exit("Expected changes of the text alone. Received: changed code. Run it: make tutorial")
    outputs = iter(ran)
    notebook.cells = [next(outputs) if cell.cell_type == "code" else _without_id(cell) for cell in source.cells]
    return notebook


def _without_id(cell: Any) -> Any:
    cell.pop("id", None)
    return cell


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in cell.items() if name not in NOT_IN_CELLS}


def execute(quick: bool) -> Any:
    """Return the notebook with the outputs of a run in a new folder.

    Raises:
        nbclient.exceptions.CellExecutionError: When a cell fails.
    """
    from nbclient import NotebookClient

    notebook = unexecuted()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "promoters"
        work.mkdir()
        before = os.environ["PATH"]
        os.environ["PATH"] = os.pathsep.join([_commands(Path(folder), quick), before])
        try:
            NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(work)}}).execute()
        finally:
            os.environ["PATH"] = before
        _say_times(notebook)
        _tidy(notebook, {str(work.resolve()): "~/promoters", str(work): "~/promoters"})
    return notebook


def _say_times(notebook: Any) -> None:
    """Print how long each cell of code took, in seconds, and how it begins."""
    for cell in notebook.cells:
        times = cell.metadata.get("execution", {})
        if "iopub.execute_input" in times and "shell.execute_reply" in times:
            start, end = (
                datetime.fromisoformat(times[name]) for name in ("iopub.execute_input", "shell.execute_reply")
            )
            first = cell.source.removeprefix("%%bash\n").partition("\n")[0]
            sys.stdout.write(f"{(end - start).total_seconds():7.1f} s  {first}\n")


def _commands(folder: Path, quick: bool) -> str:
    """Return a folder in which `degu` is found: that of this Python, or one whose studies are short."""
    own = Path(sys.executable).parent
    if not quick:
        return str(own)
    short = folder / "bin" / "degu"
    short.parent.mkdir()
    short.write_text(QUICK.format(degu=own / "degu"), encoding="utf-8")
    short.chmod(0o755)
    return os.pathsep.join([str(short.parent), str(own)])


def _tidy(notebook: Any, names: dict[str, str]) -> None:
    """Take out of the outputs what belongs to one machine or one moment."""
    for cell in notebook.cells:
        _without_id(cell)
        cell.metadata.pop("execution", None)
        kept: list[Any] = []
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                continue
            if kept and output.get("name") == kept[-1].get("name") == "stdout":  # a stream comes in pieces
                kept[-1]["text"] += output["text"]
            else:
                kept.append(output)
        for output in kept:
            texts = output.get("data", output)
            texts |= {key: _replaced(texts[key], names) for key in ("text", "text/plain") if key in texts}
        if "outputs" in cell:
            cell["outputs"] = kept
    notebook.nbformat_minor = 4  # before cells had identifiers, which change with every run


def _replaced(text: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def pages() -> dict[str, str]:
    """Return the page of the tutorial, with outputs; figures are inside of it."""
    parts = [] if not EXECUTED.is_file() else [_page(cell) for cell in nbformat.read(EXECUTED, as_version=4).cells]
    return {"tutorial.md": "\n\n".join(parts) + "\n"} if parts else {}


def _page(cell: Any) -> str:
    if cell.cell_type == "markdown":
        return cell.source
    language, source = "python", cell.source
    if source.startswith("%%bash"):
        language, source = "bash", source.partition("\n")[2]
    outputs = [_output(output) for output in cell.get("outputs", ())]
    return "\n\n".join([f"```{language}\n{source}\n```", *filter(None, outputs)])


def _output(output: Any) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="Figure" src="data:image/png;base64,{re.sub(chr(92) + "s", "", data["image/png"])}">'
    text = _aligned(output.get("text") or data.get("text/plain") or "")
    return f"```text {{ .output }}\n{text.rstrip()}\n```" if text.strip() else ""


def _aligned(text: str) -> str:
    """Return the lines of a tab-separated table with its columns below each other; Markdown has other ideas of tabs."""
    rows = [line.split("\t") for line in text.splitlines()]
    tables = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in itertools.zip_longest(*tables, fillvalue="")]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        if len(row) > 1
        else row[0]
        for row in rows
    )


def main() -> int:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description="Run the tutorial and write it with its outputs.")
    parser.add_argument("--quick", action="store_true", help="two epochs, and nothing is written")
    parser.add_argument("--text", action="store_true", help="nothing runs")
    options = parser.parse_args()
    notebook = take_text() if options.text else execute(options.quick)
    if not options.quick:
        nbformat.write(notebook, EXECUTED)
    sys.stdout.write(f"{len(notebook.cells)} cells{'' if options.quick else f', written to {EXECUTED.name}'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
