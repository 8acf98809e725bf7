"""Prediction with all networks of one architecture: one graph, one encoding of the sequences, weights as arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from degu.data.encoding import UNKNOWN, check_tokens
from degu.data.row_files import TokenFile, chunks
from degu.devices import uses_gpu
from degu.fused import Folding, inference_form
from degu.fused.graph import is_functional
from degu.fused.kmers import KmerForm, kmer_form
from degu.train.batches import encode

Weights = Sequence[NDArray]

LOOKUPS_A_ROW = 4
"""How often a row of a table of k-mers must be looked up, on average, to be worth computing."""

_ROWS_A_LOOK = 2**16


class Predictor:
    """Predicts with networks that differ in their weights alone.

    Networks whose layers are known are computed in inference form. On a CPU, many sequences are predicted through
    tables of k-mers where the architecture allows it; see `degu.fused.kmers`.

    Args:
        model: A network of the architecture; it is left as it is.
    """

    def __init__(self, model: keras.Model) -> None:
        self._folding = Folding(model) if is_functional(model) else None
        self._form = model if self._folding is None else self._folding.form
        self._kmers = None if self._folding is None or uses_gpu() else kmer_form(inference_form(model))
        self._graphs: dict[tuple[Any, ...], _Graph] = {}

    def folded(self, weights: Weights) -> Weights:
        """Return weights of the architecture in the form in which members are predicted with."""
        return weights if self._folding is None else self._folding.weights(weights)

    def predict(self, members: Sequence[Weights], x: NDArray | TokenFile, batch_size: int) -> NDArray:
        """Return what every member predicts, `(M, N, columns)`.

        Args:
            members: Weights of each member, as `folded` returned them.
            x: Tokens `(N, L)` uint8, encoded sequences `(N, L, 4)` or a file of tokens.
            batch_size: Sequences a batch.

        Raises:
            ValueError: When there are no sequences.
        """
        if not len(x):
            raise ValueError("Expected at least one sequence. Received: none")
        if self._kmers is None or x.ndim == 3 or not self._is_worth_tables(self._kmers, len(x)):
            return self._directly(members, x, batch_size)
        unknown = _with_unknown_bases(x)
        if not self._is_worth_tables(self._kmers, len(x) - len(unknown)):
            return self._directly(members, x, batch_size)
        outputs = self._through_tables(self._kmers, members, x, batch_size)
        if unknown.size:
            outputs[:, unknown] = self._directly(members, x[unknown], batch_size)
        return outputs

    @staticmethod
    def _is_worth_tables(kmers: KmerForm, sequences: int) -> bool:
        return sequences * kmers.positions >= LOOKUPS_A_ROW * kmers.num_rows

    def _directly(self, members: Sequence[Weights], x: NDArray | TokenFile, batch_size: int) -> NDArray:
        """Predict with all members in one pass."""

        def all_members(batch: Any, *stacked: Any) -> Any:
            encoded = batch if len(batch.shape) == 3 else ops.one_hot(batch, 4)
            return ops.map(lambda weights: _with_weights(self._form, weights, encoded), stacked)

        stacked = [np.stack(values) for values in zip(*members, strict=True)]
        return self._all_batches(("direct", len(members)), all_members, stacked, x, batch_size)

    def _through_tables(
        self, kmers: KmerForm, members: Sequence[Weights], x: NDArray | TokenFile, batch_size: int
    ) -> NDArray:
        """Predict member by member, so that there is one table at a time."""

        def one_member(batch: Any, table: Any, *weights: Any) -> Any:
            return _with_weights(kmers.tail, weights, kmers.looked_up(table, kmers.rows(batch)))[None]

        outputs, table = [], None
        for weights in members:
            table = kmers.table(weights, out=table)
            constants = [table, *kmers.tail_weights(weights)]
            outputs.append(self._all_batches(("tables",), one_member, constants, x, batch_size))
        return np.concatenate(outputs)

    def _all_batches(
        self,
        kind: tuple[Any, ...],
        function: Callable[..., Any],
        constants: Sequence[NDArray],
        x: NDArray | TokenFile,
        batch_size: int,
    ) -> NDArray:
        """Return `function(batch, *constants)` of all batches, `(M, N, columns)`.

        All batches have one size, so that one graph does for all; the last is filled up with copies of a row.
        """
        size = graph_size(len(x), batch_size)
        key = (*kind, size, x.ndim)
        if key not in self._graphs:
            self._graphs[key] = _Graph(function)
        tensors = [ops.convert_to_tensor(value) for value in constants]
        outputs = None
        for rows in chunks(len(x), size):
            batch = _checked(x[rows])
            missing = size - len(batch)
            if missing:
                batch = np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)])
            found = self._graphs[key].predict_on_batch([batch, *tensors])
            if outputs is None:
                outputs = np.empty((found.shape[0], len(x), found.shape[2]), found.dtype)
            outputs[:, rows] = found[:, : size - missing]
        assert outputs is not None
        return outputs


class _Graph(keras.Model):
    """A function of tensors as a model, so that Keras compiles it on whatever backend."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(name="prediction", autocast=False)
        self._function = function
        self.built = True

    def call(self, tensors: Sequence[Any]) -> Any:
        """Return what the function returns."""
        return self._function(*tensors)


def graph_size(sequences: int, batch_size: int) -> int:
    """Return how many sequences are predicted at a time: the batch size, or a power of two if there are fewer.

    Predictions of one size are the same bits; those of another may differ in rounding.
    """
    return min(batch_size, 1 << max(sequences - 1, 0).bit_length())


def _with_weights(model: keras.Model, weights: Sequence[Any], inputs: Any) -> Any:
    """Return the outputs of a model that has other weights for this call."""
    with keras.StatelessScope(state_mapping=list(zip(model.weights, weights, strict=True))):
        return model(inputs, training=False)


def _checked(batch: NDArray) -> NDArray:
    return encode(batch) if batch.ndim == 3 else check_tokens(batch, where="x")


def _with_unknown_bases(x: NDArray | TokenFile) -> NDArray:
    """Return the rows that have an N, which no table knows."""
    found = [rows.start + np.flatnonzero((x[rows] == UNKNOWN).any(axis=1)) for rows in chunks(len(x), _ROWS_A_LOOK)]
    return np.concatenate(found)
