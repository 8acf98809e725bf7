"""Arrays on disk that are larger than memory, read by rows.

Rows are read into arrays of their own, so that what a process has read does not stay in its memory as it does with a
memory map.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from degu.errors import DataError


class RowFile:
    """Rows of a `.npy` file, such as targets; `RowWriter` makes one.

    `np.asarray` gives a read-only memory map, for code that looks at shape or at few rows.

    Args:
        path: A `.npy` file in C order.

    Attributes:
        path: The file.
        shape: (rows, ...), as of an array.
        dtype: Type of its values.

    Raises:
        DataError: No such file, another format, or fewer bytes than its header promises.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self.shape, self.dtype = _header(file)
                self._start = file.tell()
                found = os.fstat(file.fileno()).st_size
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: expected a .npy file, received: {error}") from error
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        expected = self._start + self._row_bytes * len(self)
        if found < expected:
            raise DataError(f"{self.path}: expected {expected} bytes, received {found}. Write the file again.")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self._row_bytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> npt.NDArray:
        """Read some rows: a slice with step 1, or row numbers."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise DataError(f"{self.path}: expected a slice with step 1, received step {step}.")
            return self.read(start, max(start, stop))
        numbers = np.asarray(rows)
        values = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, row in enumerate(numbers.tolist()):
            self.read(row, row + 1, values[place : place + 1])
        return values

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray:
        array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return np.array(array, dtype, copy=copy)

    def read(self, start: int, stop: int, out: npt.NDArray | None = None) -> npt.NDArray:
        """Read consecutive rows.

        Args:
            start: First row, counted from 0.
            stop: Row behind the last.
            out: Contiguous array that takes the rows; a new one by default.

        Returns:
            Rows `(stop - start, ...)`.

        Raises:
            DataError: Rows that the file does not have, or a file that became shorter.
        """
        if not 0 <= start <= stop <= len(self):
            raise DataError(f"{self.path}: expected rows between 0 and {len(self)}, received {start} to {stop}.")
        values = np.empty((stop - start, *self.shape[1:]), self.dtype) if out is None else out
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._start + start * self._row_bytes)
            _fill(file, values.reshape(-1).view(np.uint8).data, self.path)
        return values

    def announce(self, start: int, stop: int) -> None:
        """Ask the system to read rows ahead, in the background, where it can."""
        if hasattr(os, "posix_fadvise"):
            with self.path.open("rb", buffering=0) as file:
                offset, size = self._start + start * self._row_bytes, (stop - start) * self._row_bytes
                os.posix_fadvise(file.fileno(), offset, size, os.POSIX_FADV_WILLNEED)


class TokenFile(RowFile):
    """Sequences as tokens `(N, L)` uint8 in a `.npy` file; training and prediction take it in place of an array.

    Args:
        path: A `.npy` file of tokens: A, C, G, T, N are 0 to 4.

    Raises:
        DataError: No such file, or one that holds something else.

    Example:
        >>> import tempfile
        >>> from degu.data import tokenize
        >>> path = Path(tempfile.mkdtemp()) / "tokens.npy"
        >>> with RowWriter(path) as writer:
        ...     for sequences in (["ACGT", "NNNN"], ["TTTT"]):
        ...         writer.append(tokenize(sequences))
        >>> TokenFile(path).shape
        (3, 4)
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        if self.ndim != 2 or self.dtype != np.uint8 or 0 in self.shape:
            raise DataError(
                f"{self.path}: expected tokens (N, L) uint8 with N and L at least 1, received shape {self.shape}, "
                f"dtype {self.dtype}."
            )


class RowWriter:
    """Writes a `.npy` file chunk by chunk; it appears when all is written, or not at all.

    Used as a context manager. Shape and type of the rows are those of the first chunk.

    Args:
        path: File to write, `.npy`; its folder is made if it does not exist.
        overwrite: Allow replacing a file that exists.

    Raises:
        DataError: When the file exists.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.rows = 0
        self._file: BinaryIO | None = None
        self._row: tuple[tuple[int, ...], np.dtype] | None = None
        if self.path.suffix != ".npy":
            raise DataError(f"{self.path}: expected a name that ends in .npy.")
        if self.path.exists() and not overwrite:
            raise DataError(f"{self.path}: expected no such file, received one that exists. Set overwrite=True.")

    def __enter__(self) -> RowWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")
        return self

    def append(self, rows: npt.ArrayLike) -> None:
        """Write rows `(n, ...)` behind those written.

        Raises:
            DataError: Rows of another shape or type than the first.
        """
        assert self._file is not None, "RowWriter is used in a with statement"
        array = np.ascontiguousarray(rows)
        if self._row is None:
            self._row = (array.shape[1:], array.dtype)
            self._write_header()
        if (array.shape[1:], array.dtype) != self._row:
            raise DataError(
                f"{self.path}: expected rows of shape {self._row[0]}, dtype {self._row[1]}, as the first. Received: "
                f"rows of shape {array.shape[1:]}, dtype {array.dtype}, behind {self.rows} rows."
            )
        self._file.write(array.data)
        self.rows += len(array)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._file is not None
        try:
            if kind is None and self._row is None:
                raise DataError(f"{self.path}: expected at least one chunk of rows, received none.")
            if kind is None:
                self._write_header()
                self._file.close()
                self._partial.replace(self.path)
        finally:
            self._file.close()
            self._partial.unlink(missing_ok=True)

    @property
    def _partial(self) -> Path:
        return self.path.with_name(f".{self.path.stem}.{os.getpid()}.npy")

    def _write_header(self) -> None:
        """Write the header at the start; NumPy leaves room in it for any number of rows."""
        assert self._file is not None
        assert self._row is not None
        shape, dtype = self._row
        self._file.seek(0)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (self.rows, *shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


def chunks(rows: int, size: int) -> Iterator[slice]:
    """Cut rows 0 ... rows - 1 into slices of some size; the last may be smaller."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    if fortran_order or dtype.hasobject or not shape:
        raise ValueError("an array that is not in C order, holds Python objects, or has no rows")
    return shape, dtype


def _fill(file: BinaryIO, view: memoryview, path: Path) -> None:
    """Read until a buffer is full; the system may return less than asked for."""
    while view:
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise DataError(f"{path}: expected {len(view)} more bytes, received the end of the file.")
        view = view[count:]
