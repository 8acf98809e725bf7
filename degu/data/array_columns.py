"""Which columns of an array of targets are what, and data sets of such arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from degu.data.arrays import as_targets
from degu.data.layouts import Keys
from degu.data.split import measured_split
from degu.data.splits import Splits
from degu.errors import DataError


@dataclass(frozen=True)
class Columns:
    """Targets and standard deviations among the columns of y.

    Attributes:
        targets: Names of the K targets, or None.
        columns: Columns that are targets, counted from 0; None for all that are no standard deviations.
        std_columns: Columns with the standard deviation over replicates, one per target; None for none.
    """

    targets: Sequence[str] | None = None
    columns: Sequence[int] | None = None
    std_columns: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.targets, str):
            raise DataError(f"targets: expected a list of names, received {self.targets!r}. Put it in a list.")

    def of(
        self, y: npt.NDArray[np.float32], where: str
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Return targets (N, K) and their standard deviations (N, K), or None.

        Raises:
            DataError: Columns that are not there, or numbers of them that do not fit.
        """
        count = y.shape[1]
        deviations = list(self.std_columns or [])
        chosen = [c for c in range(count) if c not in deviations] if self.columns is None else list(self.columns)
        for name, columns in (("columns", chosen), ("std_columns", deviations)):
            wrong = [column for column in columns if not 0 <= column < count]
            if wrong or len(set(columns)) < len(columns):
                raise DataError(
                    f"{where}: expected {name} from 0 to {count - 1}, each once, received {columns}; there are {count} "
                    "column(s)."
                )
        if self.targets is not None and len(self.targets) != len(chosen):
            raise DataError(
                f"{where}: expected {len(self.targets)} column(s), for targets {list(self.targets)}, received "
                f"{len(chosen)}. Name every target, or choose columns."
            )
        if not chosen or (deviations and len(deviations) != len(chosen)):
            raise DataError(
                f"{where}: expected one std column per target, received targets {chosen} and std_columns {deviations}."
            )
        return np.ascontiguousarray(y[:, chosen]), np.ascontiguousarray(y[:, deviations]) if deviations else None

    def names(self, count: int) -> tuple[str, ...]:
        """Return the names of the targets."""
        return tuple(self.targets or [f"target_{index}" for index in range(count)])

    def splits(
        self,
        keys: Mapping[str, Keys],
        file: str,
        tokens_of: Callable[[str, str], npt.NDArray[np.uint8]],
        values_of: Callable[[str, str], npt.NDArray],
        source: str,
    ) -> Splits:
        """Return the data set of a file with an array of sequences and one of targets for each split.

        Args:
            keys: Names of the arrays, by split.
            file: The file, for messages.
            tokens_of: From the name of an array, and where it is, to tokens (N, L).
            values_of: From the name of an array, and where it is, to targets as they stand.
            source: Where the data are from, for the record.

        Raises:
            DataError: Arrays that do not fit, with their name.
        """
        parts = {}
        for name, (x, y) in keys.items():
            tokens, where = tokens_of(x, f"{file}, {x}"), f"{file}, {y}"
            values, std = self.of(as_targets(values_of(y, where), len(tokens), where=where), where)
            parts[name] = measured_split(name, tokens, values, std)
        return Splits(parts["train"], parts["valid"], parts["test"], self.names(parts["train"].num_targets), source)
