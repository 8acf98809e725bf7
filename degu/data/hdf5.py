"""Data sets of an HDF5 file with one array of sequences and one of targets for each split.

A file cannot send the reader elsewhere: external links, arrays whose data are in other files, virtual arrays and Python
objects are refused, and so are arrays whose size has nothing to do with that of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from degu.data.array_columns import Columns
from degu.data.arrays import as_tokens
from degu.data.encoding import Ambiguous, Uracil
from degu.data.layouts import find_keys
from degu.data.lines import existing_file
from degu.data.splits import Splits
from degu.errors import DataError

_MAGIC = b"\x89HDF\r\n\x1a\n"
_LARGE = 1 << 30
_RATIO = 1000
"""One-hot arrays of float64 compress to a hundredth; what is larger than `_LARGE` bytes and this is no data."""

_CELLS = 1 << 24
_DEPTH = 8


def read_hdf5(
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
    """Read train, valid and test from an HDF5 file.

    Args:
        path: The file.
        targets: Names of the K targets; by default ``target_0`` and so on.
        x: Name of the sequences with ``{split}`` in place of the split's name, such as ``X_{split}`` or ``{split}/X``;
            by default the usual names are looked for. Strings (N,), tokens (N, L), or one-hot (N, L, 4) or (N, 4, L),
            order A, C, G, T.
        y: Name of the targets, shape (N, K), (N,) or (K, N).
        splits: What the splits are called in these names, such as ``{train: Train, valid: Val, test: Test}``.
        columns: Columns of y that are targets, counted from 0; by default all that are not in `std_columns`.
        std_columns: Columns of y with the standard deviation over replicates, one per target.
        ambiguous: ``"as_n"`` reads letters that stand for several bases as N (strings only).
        uracil: ``"as_t"`` reads U as T (strings only).

    Returns:
        The data set. Rows without any measured target are left out, and counted in the log.

    Raises:
        DataError: Anything in the file that does not fit, with the name of the array.
    """
    import h5py

    file = existing_file(path)
    with file.open("rb") as raw:
        if raw.read(len(_MAGIC)) != _MAGIC:
            raise DataError(f"{file}: expected an HDF5 file, received something else.")
    chosen = Columns(targets, columns, std_columns)
    try:
        with h5py.File(file, "r") as opened:

            def tokens_of(key: str, where: str) -> npt.NDArray[np.uint8]:
                return _tokens(_array(opened, key, file), where, ambiguous, uracil)

            def values_of(key: str, where: str) -> npt.NDArray:
                return _whole(_array(opened, key, file), where)

            keys = find_keys(list(_names(opened, file)), str(file), x, y, splits)
            return chosen.splits(keys, str(file), tokens_of, values_of, str(path))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        text = " ".join(str(error).split())[:300]
        raise DataError(f"{file}: expected an HDF5 file that can be read, received: {text}. Copy it again.") from None
    except DataError as error:
        raise DataError(f"{error}" if str(file) in str(error) else f"{file}: {error}") from None


def _names(opened: Any, file: Path) -> Iterator[str]:
    """Yield the names of arrays at the top and one group below."""
    import h5py

    for name in opened:
        node = _resolve(opened, name, file)
        if isinstance(node, h5py.Group):
            yield from (f"{name}/{below}" for below in node)
        else:
            yield name


def _resolve(opened: Any, key: str, file: Path, depth: int = 0) -> Any:
    """Return what a name stands for, following links within the file alone."""
    import h5py

    if depth > _DEPTH:
        raise DataError(f"{file}, {key}: expected an array, received more than {_DEPTH} links in a row.")
    node, parts = opened, [part for part in key.split("/") if part]
    for number, part in enumerate(parts):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            raise DataError(f"{file}, {key}: expected an array, received nothing of this name.")
        if isinstance(link, h5py.ExternalLink):
            raise DataError(
                f"{file}, {key}: expected an array of this file, received a link to another file, {link.filename!r}. "
                "Copy the array into the file."
            )
        if isinstance(link, h5py.SoftLink):
            start = "" if link.path.startswith("/") else f"{node.name}/"
            return _resolve(opened, "/".join([start + link.path, *parts[number + 1 :]]), file, depth + 1)
        node = node[part]
    return node


def _array(opened: Any, key: str, file: Path) -> Any:
    import h5py

    node, where = _resolve(opened, key, file), f"{file}, {key}"
    if not isinstance(node, h5py.Dataset):
        raise DataError(f"{where}: expected an array, received a group. Name the array inside it.")
    if node.external or node.is_virtual:
        raise DataError(
            f"{where}: expected data in this file, received an array of other files. Copy it into the file."
        )
    if node.shape is None or not node.shape or 0 in node.shape:
        raise DataError(f"{where}: expected rows, received shape {node.shape}.")
    if node.dtype.hasobject and h5py.check_string_dtype(node.dtype) is None:
        raise DataError(f"{where}: expected numbers or strings, received objects ({node.dtype}), which are not read.")
    size = int(np.prod(node.shape, dtype=object)) * node.dtype.itemsize
    if size > max(_LARGE, _RATIO * file.stat().st_size):
        raise DataError(
            f"{where}: expected data, received shape {node.shape}, {size} bytes, in a file of {file.stat().st_size} "
            "bytes. Such an array is empty or a bomb."
        )
    return node


def _tokens(dataset: Any, where: str, ambiguous: Ambiguous, uracil: Uracil) -> npt.NDArray[np.uint8]:
    step = max(1, _CELLS // max(1, int(np.prod(dataset.shape[1:], dtype=object))))
    parts = []
    for start in range(0, dataset.shape[0], step):
        part = dataset[start : start + step]
        parts.append(as_tokens(part, where=where, first_row=start, ambiguous=ambiguous, uracil=uracil))
        if parts[-1].shape[1] != parts[0].shape[1]:
            raise DataError(
                f"{where}, rows from {start}: expected {parts[0].shape[1]} letters as in the first rows, received "
                f"{parts[-1].shape[1]}. Trim the sequences or pad them with N to one length."
            )
    return np.concatenate(parts)


def _whole(dataset: Any, where: str) -> npt.NDArray:
    if dataset.dtype.kind not in "buif":
        raise DataError(f"{where}: expected numbers, received {dataset.dtype}.")
    return np.asarray(dataset[()])
