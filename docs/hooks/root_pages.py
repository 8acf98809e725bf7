"""Files of the root folder and of experiments as pages, and links to what is in the repository and not on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import public

FILES = {
    **{"CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md", "CONTRIBUTING.md": "contributing.md"},
    "README.md": "index.md",
}
LINK = re.compile(r"\[(?P<label>[^\]]*)\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def sources() -> dict[str, str]:
    """Return the path on the site of every file outside of `docs` that has a page."""
    found = {name: target for name, target in FILES.items() if (public.ROOT / name).is_file()}
    for readme in sorted((public.ROOT / "experiments").glob("*/README.md")):
        found[f"experiments/{readme.parent.name}/README.md"] = f"experiments/{readme.parent.name}/index.md"
    return found


def results() -> dict[str, Path]:
    """Return tables and figures beside the experiments' texts, by path on the site, which is that in the repository."""
    files = sorted((public.ROOT / "experiments").glob("*/*"))
    kept = [path for path in files if path.suffix in {".png", ".svg", ".txt", ".csv", ".json"}]
    return {path.relative_to(public.ROOT).as_posix(): path for path in kept}


def pages() -> dict[str, str]:
    """Return the generated pages by path."""
    return {
        target: relinked((public.ROOT / name).read_text(encoding="utf-8"), name, target)
        for name, target in sources().items()
        if target != FILES["README.md"]
    }


def relinked(text: str, name: str, target: str) -> str:
    """Return a file's text with links that work on the site.

    A link to another file of the repository leads to its page; one to a file without a page becomes its label.

    Args:
        text: Of the file.
        name: Its path in the repository.
        target: The path of its page in the site's sources.
    """

    def moved(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), match["path"]))
        place = _place(path)
        if place is None:
            return match["label"]
        page, _, anchor = place.partition("#")
        anchor = match["anchor"] or (f"#{anchor}" if anchor else "")
        return f"[{match['label']}]({posixpath.relpath(page, posixpath.dirname(target) or '.')}{anchor})"

    return LINK.sub(moved, text)


def _place(path: str) -> str | None:
    if path in sources():
        return sources()[path]
    if path in results():
        return path
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == "conf" or path.startswith("conf/"):
        group, _, name = path.partition("/")[2].rpartition("/")
        if name.endswith(".yaml") and group:
            return f"reference/config/{group}.md#{name.removesuffix('.yaml')}"
        return f"reference/config/{name}.md" if (public.ROOT / path).is_dir() and name else "reference/config/index.md"
    return None


def on_page_markdown(markdown: str, page: object, **_: object) -> str:
    """Change links that lead out of `docs`; MkDocs calls this for every page."""
    path = page.file.src_uri  # type: ignore[attr-defined]
    inside = posixpath.dirname(path)

    def outside(match: re.Match[str]) -> str:
        there = posixpath.normpath(posixpath.join("docs", inside, match["path"]))
        return match[0] if there.startswith("docs/") else relinked(match[0], f"docs/{path}", path)

    return LINK.sub(outside, markdown)
