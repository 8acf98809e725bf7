"""Files that appear under their name when they are complete, or not at all."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from degu.errors import DataError
from degu.files import whole


def check_output(target: str | Path, *, overwrite: bool = True) -> Path:
    """Check, before any work, that a file can be written; its folder is not made yet.

    Args:
        target: The file; `~` is the home directory.
        overwrite: Whether a file that exists may be replaced.

    Returns:
        Its path.

    Raises:
        DataError: When it is a folder, exists though it must not, or its folder cannot be written to.
    """
    path = Path(target).expanduser()
    if path.is_dir():
        raise DataError(f"{path}: expected the name of a file to write, received a folder. Name a file inside it.")
    if path.exists() and not overwrite:
        raise DataError(f"{path}: expected no such file, received one that exists. Name another, or use --overwrite.")
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise DataError(f"{path}: expected a folder to write to, received {folder}, which is a file.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"{path}: expected a folder to write to, received {folder}, which may not be written to.")
    return path


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a temporary name beside a file; the file takes its own name when the block ends without an error.

    Raises:
        DataError: When it cannot be written, for example because the disk is full. Nothing is left behind then.
    """
    try:
        with whole(target) as partial:
            yield partial
    except OSError as error:
        raise DataError(
            f"{target}: expected to write it, received: {error.strerror or error}. Nothing is left of it; make "
            "room, or name another place."
        ) from error


@contextlib.contextmanager
def whole_text(target: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its name when it is complete, compressed where the name ends in `.gz`.

    Raises:
        DataError: When it cannot be written.
    """
    with whole_file(target) as partial, partial.open("wb") as raw:
        # a date in the file would make equal tables differ
        packed = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if target.suffix == ".gz" else raw
        with io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
            yield text
