"""Tables of predictions, written piece by piece: TSV, CSV or Parquet."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.whole import check_output, whole_file, whole_text
from degu.errors import DataError

Write = Callable[[Mapping[str, ArrayLike]], None]
"""Takes columns of one length by name; the names are those of the first call."""

PARQUET = ".parquet"
_DELIMITERS = {".tsv": "\t", ".csv": ","}


def check_table(target: str | Path, *, overwrite: bool = False) -> Path:
    """Check, before any work, that a table can be written.

    Raises:
        DataError: When its name says no format, or it cannot be written.
    """
    path = check_output(target, overwrite=overwrite)
    if path.suffix != PARQUET and Path(path.name.removesuffix(".gz")).suffix not in _DELIMITERS:
        raise DataError(
            f"{path}: expected a name that ends in .tsv, .csv (each also with .gz) or {PARQUET}. Name the table so."
        )
    return path


@contextlib.contextmanager
def table_writer(target: Path) -> Iterator[Write]:
    """Open a table that appears under its name when it is complete, and not at all after an error.

    Numbers have six significant digits in text, and are doubles in Parquet. NaN is `NA` in text and null in Parquet.

    Args:
        target: What `check_table` returned.

    Raises:
        DataError: When it cannot be written.
    """
    if target.suffix == PARQUET:
        with whole_file(target) as partial, _parquet(partial) as write:
            yield write
        return
    with whole_text(target) as text:
        writer = csv.writer(
            text, delimiter=_DELIMITERS[Path(target.name.removesuffix(".gz")).suffix], lineterminator="\n"
        )
        names: list[str] = []

        def write(columns: Mapping[str, ArrayLike]) -> None:
            if not names:
                names.extend(columns)
                writer.writerow(names)
            writer.writerows(zip(*(_texts(columns[name]) for name in names), strict=True))

        yield write


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow
    from pyarrow import parquet

    opened: list[Any] = []

    def write(columns: Mapping[str, ArrayLike]) -> None:
        arrays = {
            name: pyarrow.array(values, from_pandas=True, type=_type(np.asarray(values)))
            for name, values in columns.items()
        }
        table = pyarrow.table(arrays)
        if not opened:
            opened.append(parquet.ParquetWriter(str(path), table.schema))
        opened[0].write_table(table)

    try:
        yield write
    finally:
        for writer in opened:
            writer.close()


def _type(values: NDArray) -> Any:
    import pyarrow

    if values.dtype == np.bool_:
        return pyarrow.bool_()
    if np.issubdtype(values.dtype, np.integer):
        return pyarrow.int64()
    return pyarrow.float64() if np.issubdtype(values.dtype, np.floating) else pyarrow.string()


def _texts(values: ArrayLike) -> list[str]:
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return ["true" if value else "false" for value in array.tolist()]
    if not np.issubdtype(array.dtype, np.floating):
        return [str(value) for value in array.tolist()]
    texts = [f"{value:.6g}" for value in array.tolist()]
    for row in np.flatnonzero(np.isnan(array)).tolist():
        texts[row] = "NA"
    return texts
