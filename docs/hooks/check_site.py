"""Check a built site: every link and anchor leads somewhere, and no page fetches anything from elsewhere.

`python docs/hooks/check_site.py site`; links to other sites are counted and not followed.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
"""Attributes whose address a browser fetches unasked."""

STYLE_ADDRESS = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""")


@dataclass
class Page(HTMLParser):
    """What a page links to and what can be linked to in it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses and anchors of a tag; the parser calls this."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in FETCHED and FETCHED[tag] in values and values.get("rel") != "canonical":
            self.fetched.append(values[FETCHED[tag]])
        self.fetched += STYLE_ADDRESS.findall(values.get("style", ""))


def faults(site: Path) -> list[str]:
    """Return one line for every link that leads nowhere and every address that a browser would fetch from elsewhere."""
    pages: dict[Path, Page] = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = Page()
        pages[path].feed(path.read_text(encoding="utf-8"))
    found = []
    for path, page in pages.items():
        here = path.relative_to(site)
        found += [f"{here}: {link} {why}" for link in page.links if (why := _broken(site, path, link, pages))]
        found += [f"{here}: {link} is fetched from elsewhere" for link in page.fetched if _is_elsewhere(link)]
        found += [f"{here}: {link} {why}" for link in page.fetched if (why := _broken(site, path, link, pages))]
    for path in sorted(site.rglob("*.css")):
        addresses = STYLE_ADDRESS.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: {address} is fetched from elsewhere" for address in addresses]
    return found


def _is_elsewhere(link: str) -> bool:
    return urlsplit(link).scheme in ("http", "https") or link.startswith("//")


def _broken(site: Path, path: Path, link: str, pages: dict[Path, Page]) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    if path.name == "404.html" and parts.path.startswith("/"):
        target = site / unquote(parts.path).lstrip("/")  # written for the root of a server
    else:
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "leads to no file"
    known = pages.get(target)
    if parts.fragment and known is not None and unquote(parts.fragment) not in known.anchors | {"__codelineno"}:
        return "leads to no such place on the page"
    return ""


def main(folder: str) -> int:
    """Print the faults of a site and return 1 where there are any."""
    site = Path(folder).resolve()
    found = faults(site)
    count = len(list(site.rglob("*.html")))
    sys.stdout.write("\n".join([*found, f"{count} pages, {len(found)} faults"]) + "\n")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
