"""Equations as MathML, written into the pages when the site is built: a reader needs no script and no font."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

EQUATION = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace what the extension arithmatex marked; MkDocs calls this for every page."""
    return EQUATION.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    tex = html.unescape(match["tex"]).strip()
    return convert(tex, display="block" if match["tag"] == "div" else "inline")
