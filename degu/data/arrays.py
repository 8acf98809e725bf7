"""Sequences and targets that someone else's arrays hold: strings, tokens or one-hot; one column or many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from degu.data.encoding import Ambiguous, Uracil, check_tokens, tokenize, tokens_from_one_hot
from degu.errors import DataError


def as_tokens(
    sequences: npt.ArrayLike,
    *,
    where: str = "sequences",
    first_row: int = 0,
    ambiguous: Ambiguous = "refuse",
    uracil: Uracil = "refuse",
) -> npt.NDArray[np.uint8]:
    """Turn sequences in any of the usual forms into tokens.

    Args:
        sequences: N strings; tokens of shape (N, L); or one-hot arrays of shape (N, L, 4), or (N, 4, L) where L is not
            4, order A, C, G, T.
        where: What they are, for error messages.
        first_row: Number of the first row, for error messages.
        ambiguous: ``"as_n"`` reads letters that stand for several bases as N.
        uracil: ``"as_t"`` reads U as T.

    Returns:
        Tokens of shape (N, L), dtype uint8.

    Raises:
        DataError: Another shape or type, or values that are no sequence.
    """
    array = np.asarray(sequences)
    if array.ndim == 1:
        return tokenize(
            _strings(array, where),
            where=where,
            name_row=lambda row: f"row {first_row + row} (counted from 0)",
            ambiguous=ambiguous,
            uracil=uracil,
        )
    if array.dtype.kind not in "buif":
        raise DataError(f"{where}: expected numbers or strings, received dtype {array.dtype}.")
    if array.ndim == 2:
        return check_tokens(array, where=where)
    if array.ndim == 3 and 4 in array.shape[1:]:
        one_hot = array if array.shape[2] == 4 else array.transpose(0, 2, 1)
        try:
            return tokens_from_one_hot(one_hot)
        except DataError as error:
            raise DataError(f"{where}, rows from {first_row}: {error}") from None
    raise DataError(
        f"{where}: expected strings (N,), tokens (N, L) or one-hot arrays (N, L, 4), received shape {array.shape}."
    )


def as_targets(values: npt.ArrayLike, rows: int, *, where: str = "targets") -> npt.NDArray[np.float32]:
    """Turn targets into one row a sequence.

    Args:
        values: Shape (rows, K), (rows,), or (K, rows) where that is the only way to read it.
        rows: Number of sequences.
        where: What they are, for error messages.

    Returns:
        Shape (rows, K), dtype float32.

    Raises:
        DataError: Another shape, values that are no numbers, or infinite ones.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise DataError(f"{where}: expected numbers, received dtype {array.dtype}.")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 2 and array.shape[0] != rows and array.shape[1] == rows:
        array = array.T
    if array.ndim != 2 or array.shape[0] != rows:
        raise DataError(
            f"{where}: expected shape ({rows}, K), one row per sequence, or its transpose, received {np.shape(values)}."
        )
    infinite = np.argwhere(np.isinf(array))
    if infinite.size:
        row, column = infinite[0]
        raise DataError(
            f"{where}, row {row}, column {column} (counted from 0): expected a finite number, or NaN for 'not "
            f"measured', received {array[row, column]}."
        )
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def _strings(array: npt.NDArray, where: str) -> Sequence[str]:
    if array.dtype.kind == "S":
        return np.char.decode(array, "latin-1").tolist()
    if array.dtype.kind == "U":
        return array.tolist()
    if array.dtype.kind == "O":
        return [value.decode("latin-1") if isinstance(value, bytes) else value for value in array]
    raise DataError(
        f"{where}: expected strings, tokens (N, L) or one-hot arrays (N, L, 4), received shape {array.shape}, dtype "
        f"{array.dtype}."
    )
