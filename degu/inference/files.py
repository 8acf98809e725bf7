"""From a file of sequences to a table of predictions, in constant memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.encoding import UNKNOWN
from degu.ensemble.prediction import Prediction
from degu.errors import ConfigError, DataError
from degu.inference.averages import WindowAverage
from degu.inference.columns import prediction_columns
from degu.inference.records import Entry, SequenceFile
from degu.inference.rules import IntervalRule
from degu.inference.tables import check_table, table_writer
from degu.inference.windows import Rows, Windows
from degu.progress import Progress
from degu.uncertainty import Spread

log = logging.getLogger(__name__)

Part = tuple[dict[str, ArrayLike], NDArray]
"""Columns of some rows of a table, and whether the rows are out of range."""


class FileSummary(NamedTuple):
    """What became of a file of sequences.

    Attributes:
        output: The table.
        sequences: Sequences in the file.
        rows: Rows of the table.
        with_unknown: Rows that the model saw with at least one N.
        out_of_range: Rows whose mark `out_of_range` is set for at least one target.
    """

    output: Path
    sequences: int
    rows: int
    with_unknown: int
    out_of_range: int


class _Survey(NamedTuple):
    sequences: int
    rows: int
    with_unknown: int


@dataclass(frozen=True, eq=False)
class FilePredictor:
    """How the sequences of a file are predicted.

    Attributes:
        predict: From tokens `(n, L)` to a prediction.
        length: Letters L that the model takes.
        names: The K target names.
        spread: The uncertainty function whose unit the epistemic column has; None for one of another kind.
        rule: How intervals are made.
        limit: Largest epistemic value that counts as known, `(K,)`.
        stride: Predict windows of L letters that start so many letters apart; None takes sequences of L letters only.
        average: Average the windows of a sequence, one row a sequence; see `WindowAverage`.
    """

    predict: Callable[[NDArray], Prediction]
    length: int
    names: Sequence[str]
    spread: Spread | None
    rule: IntervalRule
    limit: ArrayLike | None = None
    stride: int | None = None
    average: bool = False

    def __post_init__(self) -> None:
        if self.stride is not None and not 1 <= self.stride <= self.length:
            raise ConfigError(
                f"Expected a stride from 1 to {self.length}, the length of a window. Received: {self.stride}. A larger "
                "one would leave out letters"
            )
        if self.average and self.stride is None:
            raise ConfigError("Expected windows to average. Received: average without windows. Ask for windows too")

    def write(self, file: SequenceFile, output: str | Path, *, overwrite: bool = False) -> FileSummary:
        """Predict a file.

        All sequences are read and checked before the first is predicted.

        Args:
            file: The sequences; see `degu.inference.open_sequences`.
            output: The table: `.tsv` or `.csv`, each also with `.gz`, or `.parquet`. It appears when it is complete.
                Columns are those that tell a sequence (`id`, or `chrom`, `start`, `end`, `name` and `strand`), for
                windows `window_start` and `window_end` (from 0, half-open, on the strand of the sequence), and those of
                `prediction_columns`.
            overwrite: Allow replacing a file that exists.

        Returns:
            What became of the file.

        Raises:
            DataError: When a file cannot be read or written, or a sequence does not fit.
        """
        target = check_table(output, overwrite=overwrite)
        windows = Windows(self.length, self.stride)
        survey = self._survey(file, windows)
        written = beyond = 0
        with table_writer(target) as write:
            for columns, marks in self._tables(file, windows, survey.rows):
                write(columns)
                written += len(marks)
                beyond += int(marks.sum())
        return FileSummary(target, survey.sequences, written, survey.with_unknown, beyond)

    def _survey(self, file: SequenceFile, windows: Windows) -> _Survey:
        """Read and check everything once."""
        sequences = rows = unknown = 0
        for part in windows.rows(file):
            sequences = int(part.owner[-1]) + 1
            rows += len(part.tokens)
            unknown += int((part.tokens == UNKNOWN).any(axis=1).sum())
        if not rows:
            raise DataError(f"{file.path}: expected sequences, received none.")
        if unknown:
            log.warning("%d of %d rows have an N, which the models see as no letter at all", unknown, rows)
        return _Survey(sequences, rows, unknown)

    def _tables(self, file: SequenceFile, windows: Windows, total: int) -> Iterator[Part]:
        """Yield parts of the table, and whether their rows are out of range."""
        average = WindowAverage(self.spread) if self.average else None
        done = 0
        with Progress("prediction", total, "sequence" if self.stride is None else "window") as progress:
            for rows in windows.rows(file):
                prediction = self.predict(rows.tokens)
                if average is None:
                    yield self._table(file, rows.entries, prediction, rows)
                else:
                    for entries, merged in average.add(rows, prediction):
                        yield self._table(file, entries, merged)
                done += len(rows.tokens)
                progress.reach(done)
            for entries, merged in average.finish() if average is not None else ():
                yield self._table(file, entries, merged)

    def _table(
        self, file: SequenceFile, entries: list[Entry], prediction: Prediction, rows: Rows | None = None
    ) -> Part:
        cells = zip(*(entry.cells for entry in entries), strict=True)
        columns: dict[str, ArrayLike] = {name: list(part) for name, part in zip(file.header, cells, strict=True)}
        if rows is not None and self.stride is not None:
            columns |= {"window_start": rows.start, "window_end": rows.start + self.length}
        # averages of an uncertainty of another kind have no limit
        limit = None if self.average and self.spread is None else self.limit
        found = prediction_columns(prediction, self.names, self.spread, self.rule, limit)
        marks = [values for name, values in found.items() if name.endswith("_out_of_range")]
        beyond = np.any(marks, axis=0) if marks else np.zeros(len(entries), bool)
        return columns | found, beyond
