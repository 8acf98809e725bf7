"""Archives of studies: written whole, and read with suspicion.

An archive comes from somebody else. Every entry of it is looked at before anything is written: names that lead out of
the folder, links, devices, more files or bytes than allowed are refused. What it unpacks to is counted while it is
read, because what an archive says about its own size need not be true.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from degu.errors import DataError
from degu.exchange.entries import CHUNK, DAMAGED, SUFFIXES, Entry, Limits, TarEntries, ZipEntries, opened

MOST_FILES = 20_000
"""Files and folders that an archive may hold."""

MOST_BYTES = 4 * 2**30
"""Bytes that an archive may unpack to."""

_LONGEST_NAME = 1000
_FORBIDDEN = set('\\:*?"<>|')


def archive_stem(path: Path) -> str | None:
    """Return the name of an archive without its suffix; None where the name is not that of an archive."""
    return next((path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)


def pack(folder: Path, archive: Path) -> Path:
    """Write a folder as an archive, whole or not at all; its files lie in one folder of the archive's name.

    Args:
        folder: What to pack; links are refused.
        archive: `.tar.gz`, `.tgz`, `.tar` or `.zip`.

    Raises:
        DataError: When the name is another one, or the folder holds a link.
    """
    stem = archive_stem(archive)
    if not stem:
        raise DataError(f"{archive}: expected a name that ends in {', '.join(SUFFIXES)}.")
    files = plain_files(folder)
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f".{archive.name}.{os.getpid()}.partial")
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as target:
                for path in files:
                    target.write(path, f"{stem}/{path.relative_to(folder).as_posix()}")
        else:
            with tarfile.open(partial, "w" if archive.name.lower().endswith(".tar") else "w:gz") as packed:
                for path in files:
                    packed.add(path, f"{stem}/{path.relative_to(folder).as_posix()}", filter=_anonymous)
        return partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def plain_files(folder: Path) -> list[Path]:
    """Return the files of a folder and below it, sorted, without hidden ones.

    Raises:
        DataError: When there is a link or anything else that is no plain file, which could bring in files from outside.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            found.append(path)
        elif not stat.S_ISDIR(mode):
            raise DataError(f"{path}: expected plain files and folders alone, received a link or a device.")
    return found


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> Path:
    """Unpack an archive into a new folder, whole or not at all.

    Args:
        archive: A `.tar.gz`, `.tgz`, `.tar` or `.zip` file.
        folder: New folder. Where all of the archive lies in one folder of its own, this one takes its place.
        most_bytes: Bytes that it may unpack to.
        most_files: Files and folders that it may hold.

    Raises:
        DataError: When it is no archive, holds anything but plain files and folders inside it, is larger than allowed,
            or the folder exists. Nothing has been written then.
    """
    if folder.exists():
        raise DataError(f"{folder}: expected a new folder to unpack {archive.name} into, received one that exists.")
    limits = Limits(archive, most_bytes, most_files)
    with opened(archive, limits) as source:
        entries = _checked(archive, source, limits)
    prefix = _common_folder(entries)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        with opened(archive, Limits(archive, most_bytes, most_files)) as source:
            for name, content in source.contents():
                _write(partial / PurePosixPath(name).relative_to(prefix), content)
        return partial.rename(folder)
    except DAMAGED as error:
        raise DataError(f"{archive}: expected an archive that can be unpacked, received: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _checked(archive: Path, source: TarEntries | ZipEntries, limits: Limits) -> list[Entry]:
    """Look at every entry and refuse the archive if one of them cannot be what it should be."""
    entries: list[Entry] = []
    names: set[str] = set()
    try:
        for entry in source.entries():
            _check_name(entry.name)
            # On some file systems names that differ in case alone are one file.
            name = entry.name.rstrip("/").lower()
            if name in names and not entry.is_folder:
                raise DataError(f"{entry.name!r} is there twice")
            names.add(name)
            entries.append(entry)
            if len(entries) > limits.most_files:
                raise DataError(f"more than {limits.most_files:,} files and folders")
    except DataError as error:
        if str(error).startswith(str(archive)):
            raise
        raise DataError(
            f"{archive}: expected plain files and folders inside of the archive, received: {error}. "
            "Nothing of it was unpacked"
        ) from error
    if not any(not entry.is_folder for entry in entries):
        raise DataError(f"{archive}: expected the files of a study, received none.")
    return entries


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    is_odd = any(ord(letter) < 32 or letter in _FORBIDDEN for letter in name)
    if not parts or len(name) > _LONGEST_NAME or name.startswith("/") or ".." in parts or is_odd:
        raise DataError(f"{name[:80]!r}, a name that leads elsewhere or that not every file system knows")


def _common_folder(entries: list[Entry]) -> PurePosixPath:
    """Return the one folder that all entries lie in, or the top."""
    tops = {PurePosixPath(entry.name).parts[0] for entry in entries}
    flat = any(len(PurePosixPath(entry.name).parts) == 1 and not entry.is_folder for entry in entries)
    return PurePosixPath(tops.pop()) if len(tops) == 1 and not flat else PurePosixPath()


def _write(path: Path, content: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
