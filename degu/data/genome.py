"""Stretches of a genome, read from its FASTA file where they are needed."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from types import TracebackType

import pyfaidx

from degu.data.lines import existing_file
from degu.errors import DataError, nearest

_OTHER = re.compile("[^ACGTN]")


class Genome:
    """Sequences of a FASTA file, read where they are needed; use it as a context manager.

    An index `<file>.fai` is made beside the file if there is none that is as new as the file, or in a temporary folder
    where that cannot be written to. Letters other than A, C, G, T count as N.

    Args:
        path: An uncompressed FASTA file.

    Raises:
        DataError: When the file is missing or no FASTA file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing_file(path)
        if self.path.suffix in (".gz", ".bgz", ".zip", ".bz2"):
            raise DataError(
                f"{self.path}: expected an uncompressed FASTA file, received {self.path.suffix}. Unpack it."
            )
        self._stack = contextlib.ExitStack()
        try:
            index = _index(self.path, self._stack)
            self._fasta = pyfaidx.Fasta(str(self.path), indexname=str(index), rebuild=False, as_raw=True)
        except (pyfaidx.FastaIndexingError, ValueError, OSError) as error:
            raise DataError(f"{self.path}: expected a FASTA file with a valid index, received: {error}") from error

    def __enter__(self) -> Genome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._fasta.close()
        self._stack.close()

    def length(self, name: str, where: str) -> int:
        """Return the length of a sequence.

        Raises:
            DataError: When the file has none of this name.
        """
        if name not in self._fasta:
            known = list(self._fasta.keys())
            other = name.removeprefix("chr") if name.startswith("chr") else f"chr{name}"
            hint = f" Did you mean {other!r}?" if other in known else nearest(name, known)
            raise DataError(f"{where}: expected the name of a sequence in {self.path}, received {name!r}.{hint}")
        return len(self._fasta[name])

    def region(self, name: str, start: int, stop: int, where: str) -> str:
        """Return the letters of a region, `stop` behind its last, in upper case.

        Raises:
            DataError: When the file has no sequence of this name, or the region reaches beyond it.
        """
        size = self.length(name, where)
        if start < 0 or stop > size:
            raise DataError(
                f"{where}: expected a region within {name}, which has {size} bases, received {start} to {stop}. "
                "Drop or move the region; genome and BED file may also be of different assemblies."
            )
        return self.letters(name, start, stop)

    def letters(self, name: str, start: int, stop: int) -> str:
        """Return some of the letters, in upper case."""
        return plain(self._fasta[name][start:stop]) if stop > start else ""


def plain(letters: str) -> str:
    """Return letters in upper case, with N for all but A, C, G and T."""
    return _OTHER.sub("N", letters.upper())


def _index(path: Path, stack: contextlib.ExitStack) -> Path:
    """Return an index of a FASTA file, which appears beside it as a whole or lasts as long as the stack."""
    index = path.with_name(f"{path.name}.fai")
    if index.is_file() and index.stat().st_mtime >= path.stat().st_mtime:
        return index
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            return _build_index(path, Path(folder)).replace(index)
    except OSError:
        return _build_index(path, Path(stack.enter_context(tempfile.TemporaryDirectory())))


def _build_index(path: Path, folder: Path) -> Path:
    index = folder / "index.fai"
    pyfaidx.Fasta(str(path), indexname=str(index)).close()
    return index
