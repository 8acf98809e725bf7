"""Lines of text files, plain or compressed, with errors that say how far a damaged file could be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

from degu.errors import DataError, nearest

LONGEST_LINE = 1 << 24
"""Characters that a line may have. A compressed file of a few kilobytes can hold a line that fills the memory."""

_GZIP_MAGIC = b"\x1f\x8b"
_LARGE = 1 << 30
_RATIO = 200
"""Text that is larger than `_LARGE` characters and compressed by more than this holds no data; DNA comes to about 5."""


def existing_file(path: str | Path) -> Path:
    """Return the path of a file that is there.

    Args:
        path: Relative paths are resolved against the current directory, `~` is the home directory.

    Raises:
        DataError: When there is no such file, or one that may not be read.
    """
    if "\0" in str(path):
        raise DataError(f"{path!r}: expected the name of a file, received one with a NUL character.")
    file = Path(path).expanduser()
    try:
        if file.is_file():
            with file.open("rb"):
                return file
    except OSError as error:
        raise DataError(f"{file}: expected a file that can be read, received: {error.strerror}.") from None
    if file.is_dir():
        raise DataError(f"{file}: expected a file, received a folder. Name the file inside it.")
    if file.exists():
        raise DataError(f"{file}: expected a file, received a device or a pipe. Write its content to a file first.")
    folder = file.absolute().parent
    if not folder.is_dir():
        raise DataError(f"{file}: expected a file, but there is no folder {folder}.")
    hint = nearest(file.name, [entry.name for entry in folder.iterdir()])
    raise DataError(f"{file}: expected a file, but {folder} has none of this name.{hint}")


def lines_of(path: Path) -> Iterator[str]:
    r"""Yield the lines of a UTF-8 text file with their ends, `\n` or `\r\n`; a byte order mark is passed over.

    Args:
        path: Compressed with gzip or bgzip where the name ends in `.gz`.

    Raises:
        DataError: When the file is empty, damaged, no text, or not what its name says.
    """
    number = size = 0
    limit = max(_LARGE, _RATIO * path.stat().st_size)
    try:
        with _opened(path) as handle:
            for line in iter(partial(handle.readline, LONGEST_LINE), ""):
                number += 1
                size += len(line)
                _check_line(path, number, line, size > limit)
                yield line
    except EOFError:
        raise DataError(f"{path}, after line {number}: the gzip data are cut short. Copy the file again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}, after line {number}: damaged gzip data ({error}). Copy the file again.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, after line {number}: expected UTF-8 text, received {error}. Convert it.") from None


def _check_line(path: Path, number: int, line: str, is_bomb: bool) -> None:
    if len(line) >= LONGEST_LINE and not line.endswith("\n"):
        raise DataError(
            f"{path}, line {number}: expected a line of less than {LONGEST_LINE} characters, received a longer one. "
            "Break it, or check that the file is text."
        )
    if "\0" in line:
        raise DataError(
            f"{path}, line {number}: expected text, received a NUL character at position {line.index(chr(0))} "
            "(counted from 0). The file is binary, or was damaged; copy or export it again."
        )
    if is_bomb:
        raise DataError(
            f"{path}, line {number}: expected compressed text, received more than {_RATIO} times the size of the file. "
            "Nothing that degu reads compresses like that; unpack it yourself if you trust it."
        )


def _opened(path: Path) -> TextIO:
    with path.open("rb") as raw:
        start = raw.read(2)
    if not start:
        raise DataError(f"{path}: expected a table with a header line, received an empty file.")
    compressed = path.suffix == ".gz"
    if compressed and start != _GZIP_MAGIC:
        raise DataError(f"{path}: expected gzip data as the name says, received something else. Rename the file.")
    if not compressed and start == _GZIP_MAGIC:
        raise DataError(f"{path}: expected plain text as the name says, received gzip data. Add .gz to the name.")
    if compressed:
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
