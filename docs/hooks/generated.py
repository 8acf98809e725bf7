"""Pages that are written when the site is built: API, configuration, commands, and files of the root folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import benchmark_pages
import commands
import config_pages
import public
import root_pages
import tutorial
from mkdocs.structure.files import File, Files

STUDIES = {
    "degu.pipeline": ("run",),
    "degu.trained": ("load_study", "TrainedStudy"),
    "degu.config": ("build", "config_dir", "groups"),
    "degu.devices": ("use_device",),
    "degu.errors": ("DeguError", "ConfigError", "DataError", "EnsembleError", "CalibrationError", "TrackingError"),
}
"""Public names outside of the packages."""


def api_pages() -> dict[str, str]:
    """Return one page for every package, and one for running and loading studies."""
    pages = {f"reference/api/{package.partition('.')[2]}.md": _package(package) for package in public.homes()}
    parts = ["# Studies", "What `degu run` does, and what the other commands do with its output folder, from Python."]
    for module, names in STUDIES.items():
        parts += [_entry(f"{module}.{name}", f"{module}.{name}", name) for name in names]
    return {"reference/api/studies.md": "\n\n".join(parts) + "\n", **pages}


def _package(package: str) -> str:
    docstring = public.sources()[package.partition(".")[2]].docstring
    parts = [f"# {package}", docstring.value if docstring else ""]
    parts += [_entry(place, f"{package}.{name}", name) for name, place in public.homes()[package].items()]
    return "\n\n".join(parts) + "\n"


def _entry(place: str, heading: str, label: str) -> str:
    return f"::: {place}\n    options:\n      heading: {heading}\n      toc_label: {label}"


def pages() -> dict[str, str]:
    """Return the text of every generated page by its path in the site's sources."""
    return (
        benchmark_pages.pages()
        | api_pages()
        | config_pages.pages()
        | commands.pages()
        | root_pages.pages()
        | tutorial.pages()
    )


def on_config(config: Any) -> Any:
    """Put the generated pages into the navigation, below the entries that name them, and new pages below How-to."""
    written = pages()
    lists = {
        "API": [path for path in written if path.startswith("reference/api/")],
        "Configuration": [path for path in written if path.startswith("reference/config/")],
        "Experiments": [path for path in written if path.startswith("experiments/")],
    }
    config.nav = _filled(config.nav, lists)
    named = set(_paths(config.nav))
    found = (path.relative_to(config.docs_dir).as_posix() for path in sorted(Path(config.docs_dir).glob("*.md")))
    others = [path for path in found if path not in named]
    config.nav = _filled(config.nav, {"How-to": others})
    return config


def _paths(nav: list[Any]) -> Iterator[str]:
    """Yield the pages of a navigation."""
    for entry in nav:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from _paths(value) if isinstance(value, list) else [value]


def _filled(nav: list[Any], lists: dict[str, list[str]]) -> list[Any]:
    filled = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, value),) = entry.items()
            if title in lists:
                entry = {title: [*value, *(path for path in lists[title] if path not in value)]}
            elif isinstance(value, list):
                entry = {title: _filled(value, lists)}
        filled.append(entry)
    return filled


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages; one that stands in the folder under the same name gives way."""
    for path, text in pages().items():
        standing = files.get_file_from_path(path)
        if standing is not None:
            files.remove(standing)
        files.append(File.generated(config, path, content=text))
    for path, source in root_pages.results().items():
        files.append(File.generated(config, path, abs_src_path=str(source)))
    return files
