"""One file of a tar archive, written to disk whole or not at all."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from degu.errors import DataError

_LARGE = 1 << 30
_RATIO = 1000


def member_of(archive: Path, name: str) -> Path:
    """Return a file that an archive holds, unpacked beside it if it is not there yet.

    Nothing but the content of this one regular file is taken from the archive: no path, no link, no permission.

    Args:
        archive: A `.tar` or `.tar.gz` file.
        name: Last part of the file's path in the archive.

    Raises:
        DataError: No archive, a damaged one, one without this file or with several, or a file of absurd size.
    """
    target = archive.with_name(name)
    if target.exists():
        return target
    partial = archive.with_name(f".{name}.partial")
    try:
        with tarfile.open(archive, "r:*") as opened:
            for entry in opened:
                if PurePosixPath(entry.name).name == name and entry.isfile():
                    if entry.size > max(_LARGE, _RATIO * archive.stat().st_size):
                        raise DataError(f"{archive}, {entry.name}: expected data, received {entry.size} bytes.")
                    content = opened.extractfile(entry)
                    assert content is not None
                    with partial.open("wb") as file:
                        shutil.copyfileobj(content, file, 1 << 20)
                    partial.replace(target)
                    return target
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise DataError(
            f"{archive}: expected a tar archive, received: {error}. Delete it, to fetch it again."
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    raise DataError(f"{archive}: expected a file {name!r} in the archive, found none.")
