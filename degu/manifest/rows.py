"""Digests of the rows of a data set, column by column, so that a row that has changed can be found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.data import Split, Splits
from degu.errors import DataError
from degu.files import DAMAGED_ARRAYS, read_arrays
from degu.manifest.finding import Finding

ROW_DIGESTS = "evaluation/rows.npz"
"""Where a study keeps them in its folder."""

MOST_BLOCKS = 2**16
"""Digests of one column of one split, at most; a split with more rows has blocks of several rows."""

_MOST_NAMED = 5


class _Column(NamedTuple):
    name: str
    rows: NDArray


def row_digests(splits: Splits) -> dict[str, NDArray]:
    """Return 8-byte digests of the rows of every split.

    Args:
        splits: The data set as a study used it.

    Returns:
        Arrays `(blocks,)` of unsigned integers by split and column, such as `train/sequence` and
        `train/targets/activity`, and the number of rows as `train/rows`. A block is one row where the split has no more
        than `MOST_BLOCKS`.
    """
    arrays: dict[str, NDArray] = {}
    for name, split in splits.items():
        arrays[f"{name}/rows"] = np.array(len(split))
        for column in _columns(split, splits.target_names):
            arrays[f"{name}/{column.name}"] = _digests(column.rows, _block_rows(len(split)))
    return arrays


def changed_rows(kept: Mapping[str, NDArray], splits: Splits) -> list[Finding]:
    """Compare a data set with the digests that a study kept.

    Returns:
        A finding for every column of a split in which rows differ; it names the first ones, with their ids.
    """
    now = row_digests(splits)
    found = []
    for name, split in splits.items():
        before, size = int(kept[f"{name}/rows"]) if f"{name}/rows" in kept else 0, len(split)
        if before != size:
            found.append(Finding("data", f"{name} split", f"{before} rows", f"{size} rows"))
        for key in (
            key for key in dict.fromkeys((*kept, *now)) if key.startswith(f"{name}/") and key != f"{name}/rows"
        ):
            column = key.removeprefix(f"{name}/")
            if key not in kept or key not in now:
                found.append(Finding("data", f"{name} split, column {column}", *_presence(key in kept)))
                continue
            shared = min(len(kept[key]), len(now[key]))
            differing = np.flatnonzero(kept[key][:shared] != now[key][:shared])
            if len(differing):
                found.append(_located(split, splits.target_names, name, column, differing))
    gone = {key.split("/")[0] for key in kept} - {name for name, _ in splits.items()}
    return found + [Finding("data", f"{name} split", *_presence(True)) for name in sorted(gone)]


def read_row_digests(path: Path) -> dict[str, NDArray]:
    """Read the digests that a study kept.

    Raises:
        DataError: When the file is missing or damaged.
    """
    try:
        return read_arrays(path)
    except DAMAGED_ARRAYS as error:
        raise DataError(f"{path}: expected the digests of a study's rows, received: {error}.") from error


def _presence(was_there: bool) -> tuple[str, str]:
    return ("present", "absent") if was_there else ("absent", "present")


def _block_rows(rows: int) -> int:
    return -(-rows // MOST_BLOCKS)


def _columns(split: Split, names: tuple[str, ...]) -> Iterator[_Column]:
    yield _Column("sequence", split.tokens)
    yield _Column("id", split.ids)
    for index, name in enumerate(names):
        yield _Column(f"targets/{name}", _portable(split.targets[:, index]))
    if split.target_std is not None:
        for index, name in enumerate(names):
            yield _Column(f"target_std/{name}", _portable(split.target_std[:, index]))


def _portable(values: NDArray) -> NDArray:
    """One bit pattern for NaN, one byte order."""
    return np.where(np.isnan(values), np.nan, values).astype("<f4")


def _digests(rows: NDArray, size: int) -> NDArray[np.uint64]:
    texts = rows.dtype.kind == "U"
    found = np.empty(-(-len(rows) // size), np.uint64)
    for block in range(len(found)):
        part = rows[block * size : (block + 1) * size]
        content = "\0".join(part.tolist()).encode() if texts else np.ascontiguousarray(part).tobytes()
        found[block] = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
    return found


def _located(split: Split, names: tuple[str, ...], name: str, column: str, blocks: NDArray) -> Finding:
    """Name the first rows that differ, and what they hold now."""
    size, count = _block_rows(len(split)), len(blocks)
    places = []
    for block in blocks[:_MOST_NAMED].tolist():
        row = block * size
        if size == 1:
            places.append(f"row {row} (id {split.ids[row]}): {_value(split, names, column, row)}")
        else:
            places.append(f"rows {row} to {min(row + size, len(split)) - 1}")
    more = f" and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
    what = "row" if size == 1 else "block"
    where = f"{name} split, column {column}, {count} {what}{'s' if count > 1 else ''}"
    return Finding("data", where, "digest of the study", f"{'; '.join(places)}{more}")


def _value(split: Split, names: tuple[str, ...], column: str, row: int) -> Any:
    kind, _, target = column.partition("/")
    if kind == "sequence":
        letters = np.frombuffer(b"ACGTN", np.uint8)[split.tokens[row]].tobytes().decode()
        return letters if len(letters) <= 24 else f"{letters[:21]}..."
    if kind == "id":
        return split.ids[row]
    values = split.targets if kind == "targets" else split.target_std
    assert values is not None
    return f"{values[row, names.index(target)]:g}"
