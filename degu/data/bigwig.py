"""Means of a bigWig track over regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from degu.data.delimited import Table
from degu.data.lines import existing_file
from degu.errors import DataError, nearest
from degu.quiet import quiet_native_stderr

_MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")


def track_means(
    path: str | Path, table: Table, uncovered: float | None = 0.0, log2_pseudocount: float | None = None
) -> npt.NDArray[np.float64]:
    """Return the mean of a track over each region.

    Args:
        path: A bigWig file.
        table: Regions: columns ``chrom``, ``start`` and ``end``, from 0, half-open.
        uncovered: Value of bases that the track says nothing about; None leaves them out of the mean.
        log2_pseudocount: Return log2 of the mean plus this number; None returns the mean.

    Returns:
        Shape (rows,), in the unit of the track or its log2; NaN where nothing is covered.

    Raises:
        DataError: A file that is no bigWig file, a chromosome that it does not have, a region that reaches beyond the
            chromosome, or a logarithm of a number that has none.
    """
    file = existing_file(path)
    with file.open("rb") as raw:
        start = raw.read(64)
    if start[:4] not in _MAGIC or len(start) < 64:
        raise DataError(f"{file}: expected a bigWig file, received something else. Name the track, not a bedGraph.")
    try:
        with _opened(file) as track:
            if not track.isBigWig():
                raise DataError(f"{file}: expected a bigWig file, received a bigBed file.")
            means = _means(track, file, table, uncovered)
    except (RuntimeError, OverflowError, MemoryError) as error:
        raise DataError(f"{file}: damaged bigWig data ({error}). Copy the file again.") from None
    if log2_pseudocount is None:
        return means
    shifted = means + log2_pseudocount
    wrong = np.flatnonzero(shifted <= 0)
    if wrong.size:
        raise DataError(
            f"{file} at {table.path}, {table.row(int(wrong[0]))}: expected a mean above {-log2_pseudocount:g}, "
            f"received {means[wrong[0]]:g}; {wrong.size} region(s) have no logarithm. Use a larger log2_pseudocount."
        )
    return np.log2(shifted)


def _opened(path: Path) -> Any:
    """Open a track; what libBigWig writes to stderr about a damaged one is held back."""
    import pyBigWig

    reason = ""
    with quiet_native_stderr():
        try:
            return pyBigWig.open(str(path))
        except RuntimeError as error:
            reason = str(error)
    raise DataError(f"{path}: damaged bigWig data ({reason}). Copy the file again.")


def _means(track: Any, file: Path, table: Table, uncovered: float | None) -> npt.NDArray[np.float64]:
    sizes: dict[str, int] = track.chroms() or {}
    means = np.full(len(table.lines), np.nan)
    columns = (table.columns["chrom"], table.columns["start"], table.columns["end"])
    for row, (chrom, start, end) in enumerate(zip(*columns, strict=True)):
        where = f"{table.path}, {table.row(row)}"
        if chrom not in sizes:
            other = chrom.removeprefix("chr") if chrom.startswith("chr") else f"chr{chrom}"
            hint = f" Did you mean {other!r}?" if other in sizes else nearest(chrom, sizes)
            raise DataError(f"{where}: expected a chromosome of {file}, received {chrom!r}.{hint}")
        if int(start) < 0 or int(end) > sizes[chrom]:
            raise DataError(
                f"{where}: expected a region within {chrom} of {file}, which has {sizes[chrom]} bases, received "
                f"{start} to {end}."
            )
        values = track.values(chrom, int(start), int(end), numpy=True)
        known = ~np.isnan(values)
        if uncovered is not None:
            means[row] = np.where(known, values, uncovered).mean(dtype=np.float64)
        elif known.any():
            means[row] = values[known].mean(dtype=np.float64)
    return means
