"""The entries of a tar or zip archive, one after the other; what they unpack to is counted while they are read."""

from __future__ import annotations

import contextlib
import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from degu.errors import DataError

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
"""Errors of the readers on a damaged archive."""

CHUNK = 2**20
"""Bytes that are read at once."""

_LONGEST_EXTENSION = 2**16


class Entry(NamedTuple):
    """A file or folder of an archive, as the archive names it."""

    name: str
    size: int
    is_folder: bool


class Limits:
    """Counts what is read of an archive."""

    def __init__(self, archive: Path, most_bytes: int, most_files: int) -> None:
        self.archive = archive
        self.most_bytes = most_bytes
        self.most_files = most_files
        self.read = 0

    def count(self, size: int) -> None:
        """Note that bytes have been unpacked.

        Raises:
            DataError: When they are more than allowed.
        """
        self.read += size
        if self.read > self.most_bytes:
            raise DataError(
                f"{self.archive}: expected an archive that unpacks to at most {self.most_bytes:,} bytes, received a "
                "larger one. If you trust it, allow more with --max-size"
            )


class _Counted:
    """A stream that is read in pieces and counted."""

    def __init__(self, stream: IO[bytes], limits: Limits) -> None:
        self._stream = stream
        self._limits = limits

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self._limits.count(len(data))
        return data


class _Header(tarfile.TarInfo):
    """A header whose extension, which is read into memory, must be short."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Read a header, and refuse a long extension."""
        info = super().frombuf(buf, encoding, errors)
        if info.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE) and info.size > _LONGEST_EXTENSION:
            raise DataError(f"a header of {info.size:,} bytes")
        return info


class TarEntries:
    """Entries of a tar file, in one pass."""

    def __init__(self, source: tarfile.TarFile) -> None:
        self._source = source

    def entries(self) -> Iterator[Entry]:
        """Yield all entries; one that is no plain file or folder is refused."""
        for info in self._source:
            if not (info.isreg() or info.isdir()) or info.issparse():
                raise DataError(f"{info.name!r} is a link, a device or a sparse file")
            yield Entry(info.name, info.size, info.isdir())

    def contents(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Yield the files with their contents."""
        for info in self._source:
            stream = self._source.extractfile(info) if info.isreg() else None
            if stream is not None:
                yield info.name, stream


class ZipEntries:
    """Entries of a zip file."""

    def __init__(self, source: zipfile.ZipFile, limits: Limits) -> None:
        self._source = source
        self._limits = limits

    def entries(self) -> Iterator[Entry]:
        """Yield all entries; one that is no plain file or folder is refused."""
        for info in self._source.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{info.filename!r} is a link or a device")
            if info.flag_bits & 1:
                raise DataError(f"{info.filename!r} is encrypted")
            self._limits.count(info.file_size)
            # `orig_filename` is what the archive says; `filename` has lost what follows a zero byte.
            yield Entry(info.orig_filename, info.file_size, info.is_dir())

    def contents(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Yield the files with their contents."""
        for info in self._source.infolist():
            if not info.is_dir():
                with self._source.open(info) as stream:
                    yield info.filename, cast("IO[bytes]", _Counted(stream, self._limits))


@contextlib.contextmanager
def opened(archive: Path, limits: Limits) -> Iterator[TarEntries | ZipEntries]:
    """Open an archive; what its reader cannot read is a `DataError`."""
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as zipped:
                yield ZipEntries(zipped, limits)
            return
        # As a stream: read once, front to back, so that all that is unpacked goes through the counter.
        with archive.open("rb") as packed, _decompressed(archive, packed) as plain:
            counted: Any = _Counted(plain, limits)
            with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Header) as source:
                yield TarEntries(source)
    except (*DAMAGED, NotImplementedError) as error:
        raise DataError(f"{archive}: expected {' or '.join(SUFFIXES)}, received: {error}.") from error


@contextlib.contextmanager
def _decompressed(archive: Path, packed: IO[bytes]) -> Iterator[IO[bytes]]:
    if archive.name.lower().endswith(".tar"):
        yield packed
        return
    with gzip.GzipFile(fileobj=packed) as plain:
        yield cast("IO[bytes]", plain)
