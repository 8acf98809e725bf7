"""Data sets of a NumPy `.npz` file with one array of sequences and one of targets for each split."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from degu.data.array_columns import Columns
from degu.data.arrays import as_tokens
from degu.data.encoding import Ambiguous, Uracil
from degu.data.layouts import find_keys
from degu.data.lines import existing_file
from degu.data.splits import Splits
from degu.errors import DataError
from degu.files import DAMAGED_ARRAYS

_LARGE = 1 << 30
_RATIO = 1000
"""What is larger than `_LARGE` bytes and compressed by more than this holds no data."""


def read_npz(
    path: str | Path,
    *,
    targets: Sequence[str] | None = None,
    x: str | None = None,
    y: str | None = None,
    splits: Mapping[str, str] | None = None,
    columns: Sequence[int] | None = None,
    std_columns: Sequence[int] | None = None,
    ambiguous: Ambiguous = "refuse",
    uracil: Uracil = "refuse",
) -> Splits:
    """Read train, valid and test from a `.npz` file, as `numpy.savez` writes it.

    The arguments are those of `degu.data.read_hdf5`. Python objects in a file are refused, never unpickled.

    Args:
        path: The file.
        targets: Names of the K targets; by default ``target_0`` and so on.
        x: Name of the sequences with ``{split}`` in place of the split's name; by default the usual names.
        y: Name of the targets.
        splits: What the splits are called in these names.
        columns: Columns of y that are targets, counted from 0.
        std_columns: Columns of y with the standard deviation over replicates, one per target.
        ambiguous: ``"as_n"`` reads letters that stand for several bases as N (strings only).
        uracil: ``"as_t"`` reads U as T (strings only).

    Returns:
        The data set. Rows without any measured target are left out, and counted in the log.

    Raises:
        DataError: Anything in the file that does not fit, with the name of the array.
    """
    file = existing_file(path)
    chosen = Columns(targets, columns, std_columns)
    try:
        with zipfile.ZipFile(file) as archive:

            def tokens_of(key: str, where: str) -> npt.NDArray[np.uint8]:
                return as_tokens(_array(archive, key, where), where=where, ambiguous=ambiguous, uracil=uracil)

            def values_of(key: str, where: str) -> npt.NDArray:
                return _array(archive, key, where)

            present = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            keys = find_keys(present, str(file), x, y, splits)
            return chosen.splits(keys, str(file), tokens_of, values_of, str(path))
    except DAMAGED_ARRAYS as error:
        text = " ".join(str(error).split())[:300]
        raise DataError(f"{file}: expected a .npz file that can be read, received: {text}. Save it again.") from None
    except DataError as error:
        raise DataError(f"{error}" if str(file) in str(error) else f"{file}: {error}") from None


def _array(archive: zipfile.ZipFile, name: str, where: str) -> npt.NDArray:
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > max(_LARGE, _RATIO * info.compress_size):
        raise DataError(f"{where}: expected data, received {info.file_size} bytes in {info.compress_size}.")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    if dtype.hasobject:
        raise DataError(f"{where}: expected numbers or strings, received Python objects, which are not read.")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if min(shape, default=0) < 1 or size > info.file_size:
        raise DataError(f"{where}: expected rows, received shape {shape}, {size} of {info.file_size} bytes.")
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
