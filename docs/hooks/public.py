"""Where every public name of degu is written, read from the sources: nothing is imported, so a build stays quick."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[2]
INTERNAL = {"degu.fused", "degu.stacked", "degu.report", "degu.verbs"}
"""Packages whose names are not for users."""


@cache
def sources() -> griffe.Module:
    """Return what griffe reads of degu."""
    loaded = griffe.load("degu", search_paths=[ROOT], resolve_aliases=True, docstring_parser="google")
    assert isinstance(loaded, griffe.Module)
    return loaded


@cache
def homes() -> dict[str, dict[str, str]]:
    """Return by package and public name where that is written: `homes()["degu.data"]["read_table"]`."""
    packages = {}
    for init in sorted((ROOT / "degu").glob("*/__init__.py")):
        package = f"degu.{init.parent.name}"
        names = dict(_names(package, init)) if package not in INTERNAL else {}
        if names:
            packages[package] = dict(sorted(names.items(), key=lambda item: item[0].lower()))
    return packages


def home(path: str) -> str:
    """Return where a public path such as `degu.distill.Distiller.distill_student` is written."""
    for package, names in homes().items():
        for name, place in names.items():
            if path == f"{package}.{name}" or path.startswith(f"{package}.{name}."):
                return place + path.removeprefix(f"{package}.{name}")
    return path


def _names(package: str, init: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(init.read_text(encoding="utf-8"))
    values = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    for table in ("_PUBLIC", "_HOMES"):  # names that are imported on first use
        for name, module in ast.literal_eval(values[table]).items() if table in values else ():
            yield name, f"{module if module.startswith('degu.') else f'{package}.{module}'}.{name}"
    listed = _strings(values.get("__all__"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("degu."):
            yield from ((part.name, f"{node.module}.{part.name}") for part in node.names if part.name in listed)
        elif isinstance(node, ast.FunctionDef) and node.name in listed:
            yield node.name, f"{package}.{node.name}"
    if "_BUILDERS" in values:  # one file for each
        yield from (
            (file.stem[1:], f"{package}.{file.stem}.{file.stem[1:]}") for file in init.parent.glob("_[a-z]*.py")
        )
    for module in ast.literal_eval(values["_SUBMODULES"]) if "_SUBMODULES" in values else ():
        body = ast.parse((init.parent / f"{module}.py").read_text(encoding="utf-8")).body
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield f"{module}.{node.name}", f"{package}.{module}.{node.name}"


def _strings(node: ast.expr | None) -> set[str]:
    parts = ast.walk(node) if node is not None else ()
    return {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
