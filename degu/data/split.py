"""One part of a data set: sequences, what was measured on them, and their ids."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from degu.data.encoding import check_tokens
from degu.errors import DataError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Split:
    """Sequences with their measured targets; checked once, read-only afterwards.

    Attributes:
        tokens: Shape (N, L), dtype uint8; A, C, G, T, N are 0 to 4.
        targets: Shape (N, K), dtype float32; NaN where a target was not measured.
        ids: Shape (N,), unique strings.
        target_std: Standard deviation over replicates, shape (N, K), in the unit of the targets; NaN where it
            is unknown; None where there were no replicates.

    Raises:
        DataError: Shapes that do not fit, no rows, infinite values, a row without any measured target, a
            negative standard deviation, or an id used twice.
    """

    tokens: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    ids: npt.NDArray[np.str_]
    target_std: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self._set("tokens", _checked_tokens(self.tokens))
        self._set("targets", _checked_values(self.targets, "targets", len(self)))
        self._set("ids", _checked_ids(self.ids, len(self)))
        unmeasured = np.flatnonzero(np.isnan(self.targets).all(axis=1))
        if unmeasured.size:
            raise DataError(
                f"targets, row {unmeasured[0]} (counted from 0): expected at least one measured target, "
                f"received only NaN, in {unmeasured.size} row(s). Leave out rows without a measurement."
            )
        if self.target_std is not None:
            self._set("target_std", _checked_std(self.target_std, self.targets.shape))

    def _set(self, name: str, array: npt.NDArray) -> None:
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Letters per sequence, L."""
        return int(self.tokens.shape[1])

    @property
    def num_targets(self) -> int:
        """Targets per sequence, K."""
        return int(self.targets.shape[1])

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of tokens, targets, replicate deviations and ids; the same on every machine."""
        sha = hashlib.sha256()
        for part in self._digest_parts():
            sha.update(part)
        return sha.hexdigest()

    def _digest_parts(self) -> Iterator[bytes | memoryview]:
        yield f"tokens {self.tokens.shape}".encode()
        yield np.ascontiguousarray(self.tokens).data.cast("B")
        yield f"targets {self.targets.shape}".encode()
        yield _portable_bytes(self.targets)
        if self.target_std is not None:
            yield b"target_std"
            yield _portable_bytes(self.target_std)
        yield b"ids"
        yield json.dumps(self.ids.tolist()).encode()

    def select(self, indices: npt.ArrayLike) -> Split:
        """Take some rows.

        Args:
            indices: Row numbers counted from 0, each at most once, or a boolean mask of shape (N,).

        Returns:
            A split of these rows in this order.

        Raises:
            DataError: No row, or a row twice.
        """
        rows = np.asarray(indices)
        if rows.size == 0:
            raise DataError("select: expected at least one row, received none.")
        std = None if self.target_std is None else self.target_std[rows]
        return Split(self.tokens[rows], self.targets[rows], self.ids[rows], std)


def measured_split(
    name: str,
    tokens: npt.NDArray[np.uint8],
    targets: npt.NDArray[np.float32],
    target_std: npt.NDArray[np.float32] | None = None,
) -> Split:
    """Make a split of arrays, without the rows that have no measured target.

    Args:
        name: Name of the split; rows are called ``<name>-0`` and so on, by their place in the arrays.
        tokens: Shape (N, L).
        targets: Shape (N, K).
        target_std: Shape (N, K), or None.

    Raises:
        DataError: Arrays that do not fit, or no measured row.
    """
    rows = np.flatnonzero(~np.isnan(targets).all(axis=1))
    if len(rows) < len(targets):
        _LOG.info(
            "%s split: left out %d of %d rows without any measured target", name, len(targets) - len(rows), len(targets)
        )
    if not rows.size:
        raise DataError(f"{name} split: expected measured targets, received {len(targets)} rows without any.")
    ids = np.array([f"{name}-{row}" for row in rows])
    try:
        return Split(tokens[rows], targets[rows], ids, None if target_std is None else target_std[rows])
    except DataError as error:
        raise DataError(f"{name} split: {error}") from None


def _portable_bytes(values: npt.NDArray[np.float32]) -> bytes:
    # NaN has many bit patterns; one of them must stand for all
    return np.where(np.isnan(values), np.nan, values).astype("<f4").tobytes()


def _checked_tokens(tokens: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    array = check_tokens(tokens)
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(f"tokens: expected shape (N, L) with N and L at least 1, received {array.shape}.")
    return array


def _checked_values(values: npt.ArrayLike, name: str, rows: int) -> npt.NDArray[np.float32]:
    # a value beyond float32 becomes infinite here and is refused below
    with np.errstate(over="ignore"):
        array = np.asarray(values).astype(np.float32, copy=False)
    if array.ndim != 2 or array.shape[0] != rows or array.shape[1] == 0:
        raise DataError(
            f"{name}: expected shape ({rows}, K), one row per sequence and one column per target, "
            f"received {array.shape}."
        )
    infinite = np.argwhere(np.isinf(array))
    if infinite.size:
        row, column = infinite[0]
        raise DataError(
            f"{name}, row {row}, column {column} (counted from 0): expected a finite number, or NaN for "
            f"'not measured', received {array[row, column]}."
        )
    return array


def _checked_std(values: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    array = _checked_values(values, "target_std", shape[0])
    if array.shape != shape:
        raise DataError(f"target_std: expected the shape of the targets, {shape}, received {array.shape}.")
    negative = np.argwhere(array < 0)
    if negative.size:
        row, column = negative[0]
        raise DataError(
            f"target_std, row {row}, column {column} (counted from 0): expected a standard "
            f"deviation of at least 0, received {array[row, column]}. Log-variances must be converted first."
        )
    return array


def _checked_ids(ids: npt.ArrayLike, rows: int) -> npt.NDArray[np.str_]:
    array = np.asarray(ids, dtype=np.str_)
    if array.shape != (rows,):
        raise DataError(f"ids: expected shape ({rows},), one id per sequence, received {array.shape}.")
    names, first, counts = np.unique(array, return_index=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    if repeated.size:
        index = repeated[np.argmin(first[repeated])]
        raise DataError(
            f"ids: expected each id once, received {str(names[index])!r} {counts[index]} times, first in row "
            f"{first[index]} (counted from 0). Make the ids unique."
        )
    return array
