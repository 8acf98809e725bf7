"""Lines of text files, plain or compressed, with errors that say how far a damaged file could be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from degu.errors import DataError, nearest

_GZIP_MAGIC = b"\x1f\x8b"


def existing_file(path: str | Path) -> Path:
    """Return the path of a file that is there.

    Args:
        path: Relative paths are resolved against the current directory, `~` is the home directory.

    Raises:
        DataError: When there is no such file.
    """
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if file.is_dir():
        raise DataError(f"{file}: expected a file, received a folder. Name the file inside it.")
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
        DataError: When the file is empty, damaged, or not what its name says.
    """
    number = 0
    try:
        with _opened(path) as handle:
            for line in handle:
                number += 1
                yield line
    except EOFError:
        raise DataError(f"{path}, after line {number}: the gzip data are cut short. Copy the file again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}, after line {number}: damaged gzip data ({error}). Copy the file again.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, after line {number}: expected UTF-8 text, received {error}. Convert it.") from None


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
