"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import re
import tokenize
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DAMAGED_ARRAYS = (
    *(OSError, EOFError, ValueError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What NumPy raises for a `.npy` or `.npz` file that is cut short or altered; its headers are Python literals."""

_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.partial\.")


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside a path, and rename it to the path when the block ends well.

    The temporary name ends as the path does, for libraries that go by the ending. Folders are made as needed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid.uuid4().hex[:8]}.partial.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write text, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(content, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left in a folder and below it."""
    for path in folder.rglob(".*"):
        if _LEFTOVER.match(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a `.npz` file; Python objects are refused, never unpickled.

    Raises:
        Exception: One of `DAMAGED_ARRAYS`.
    """
    import numpy as np

    # NumPy leaves a file open that it opened itself and cannot read.
    with path.open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("one array without a name")
        with stored:
            return dict(stored)
