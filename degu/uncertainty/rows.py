"""Which rows a calibration used, so that none is used twice.

A calibrated interval keeps its promise for rows that neither training, nor early stopping, nor the calibration has
seen. Rows are known by their content: a part of a split, or the same sequences under other ids, is recognised too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.errors import CalibrationError


def row_digests(sequences: ArrayLike) -> NDArray[np.str_]:
    """Return a digest of each row.

    Args:
        sequences: Tokens `(N, L)`, or any other array with one row for each example. Rows compare in one form only:
            the digests of tokens and of their one-hot encoding differ.

    Returns:
        128-bit BLAKE2b digests in hexadecimal, `(N,)`, the same on every machine.
    """
    array = np.asarray(sequences)
    form = "<f8" if np.issubdtype(array.dtype, np.floating) else "<i8"
    rows = np.ascontiguousarray(array, dtype=form).reshape(len(array), -1)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in rows], dtype=np.str_)


@dataclass(frozen=True)
class CalibrationRows:
    """The rows of one calibration.

    Attributes:
        digests: One a row, from `row_digests`.
    """

    digests: tuple[str, ...]

    @classmethod
    def claim(cls, rows: ArrayLike, num_rows: int, used: Mapping[str, ArrayLike]) -> CalibrationRows:
        """Take rows for a calibration.

        Args:
            rows: Digests of the rows, `(N,)`.
            num_rows: The number of rows N that will be calibrated on.
            used: Digests of all rows that earlier steps used, by what used them: `"train"`, `"valid"`, and a
                calibration whose result this one builds on.

        Raises:
            ValueError: When there is not one digest a row.
            CalibrationError: When a row was used before.
        """
        digests = _checked(rows, num_rows)
        for step, theirs in used.items():
            shared = np.isin(digests, np.asarray(theirs, dtype=np.str_))
            if shared.any():
                raise CalibrationError(
                    "Expected calibration rows that nothing else has used. Received: "
                    f"{shared.sum()} of {len(digests)} rows are rows of {step!r} too, the first is row "
                    f"{shared.argmax()} (counted from 0). Calibrate on a split of its own, for example from "
                    "Splits.carve_calibration"
                )
        return cls(tuple(digests.tolist()))

    def require_new(self, rows: ArrayLike | None, num_rows: int) -> None:
        """Refuse rows of the calibration.

        Args:
            rows: Digests of the rows that are to be predicted; None for sequences that nothing was measured on, with
                which nothing can be evaluated.
            num_rows: How many there are.

        Raises:
            ValueError: When there is not one digest a row.
            CalibrationError: When a row was calibrated on.
        """
        if rows is None:
            return
        shared = np.isin(_checked(rows, num_rows), np.array(self.digests, dtype=np.str_))
        if shared.any():
            raise CalibrationError(
                f"Expected rows that were not calibrated on. Received: {shared.sum()} of {num_rows} rows of the "
                f"calibration, the first is row {shared.argmax()} (counted from 0). Their coverage is known "
                "beforehand and proves nothing: evaluate on other rows"
            )


def _checked(rows: ArrayLike, num_rows: int) -> NDArray[np.str_]:
    digests = np.asarray(rows, dtype=np.str_)
    if digests.shape != (num_rows,):
        raise ValueError(f"Expected {num_rows} digests, one a row (row_digests). Received: shape {digests.shape}")
    return digests
