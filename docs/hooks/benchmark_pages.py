"""The benchmarks as a page: what each script measures, and every stored ratio with the machine that it comes from."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import public

FOLDER = public.ROOT / "benchmarks"
PAGE = "benchmark-results.md"
HEAD = """# Stored results

What each script in `benchmarks/` measures, and every ratio that is stored in `benchmarks/results/`, with its machine;
above 1, degu is faster. [Benchmarks](benchmarks.md) says what they mean and how far to trust them.
"""


def pages() -> dict[str, str]:
    """Return the page by path."""
    parts = [HEAD]
    for script in sorted(FOLDER.glob("*.py")):
        text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
        stored = FOLDER / "results" / f"{script.stem}.json"
        if "--json" in text:
            first, _, rest = text.partition("\n\n")
            parts.append(f"## {script.stem}\n\n{first}\n\n```text\n{rest}\n```")
            parts += [_stored(json.loads(stored.read_text(encoding="utf-8")))] if stored.is_file() else []
    return {PAGE: "\n\n".join(parts) + "\n"}


def _stored(result: dict[str, Any]) -> str:
    where = ", ".join(f"{name} {value}" for name, value in result["environment"].items())
    rows = [
        f"| {' / '.join(path)} | {ratio['median']:.2f} | {ratio['low']:.2f} to {ratio['high']:.2f} |"
        for path, ratio in _ratios(result["result"], ())
    ]
    if not rows:
        return ""
    return "\n".join([f"Stored result: {where}.", "", "| Ratio | Median | Quartiles |", "| --- | --- | --- |", *rows])


def _ratios(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
    if isinstance(node, dict) and node.keys() >= {"median", "low", "high"}:
        yield path, node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _ratios(value, path if name == "ratios" else (*path, name))
