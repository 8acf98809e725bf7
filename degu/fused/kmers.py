"""The first two convolutions of a network as a table of k-mers.

Up to its second convolution a network sees few bases at a time. Where these are eight at most, everything that it can
compute there is computed once for every k-mer; a sequence is then looked up position by position, and the products of
the two convolutions, most of the work of a network such as DeepSTARR, are left out. What is looked up is what the
layers compute, so that predictions agree to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from degu.fused.stems import Stem, find_stem, padding_of

LONGEST = 8
"""Bases that a position may depend on: 4 ** 8 rows are less work than some hundred sequences."""

MOST_BYTES = 128 * 2**20
"""Largest table of one network."""

_MISSING = 4
_ROWS_A_CALL = 4096


class KmerForm:
    """A model over tokens that looks its stem up.

    Args:
        model: A functional model from `(B, L, 4)`; its weights are overwritten when a table is computed.
        stem: Its first layers.

    Attributes:
        tail: The layers behind the stem, as a model that shares them.
        num_rows: Rows of a table for each tap of the second convolution, the last of which is zero.
        positions: Positions of a sequence that are looked up.
    """

    def __init__(self, model: keras.Model, stem: Stem) -> None:
        self.tail = keras.Model(stem.output, model.outputs[0])
        self._model = model
        self._stem = stem
        self._taps, _, self._filters = stem.second.kernel.shape
        self._windows = _Windows.of(stem, model.input_shape[1])
        self._padding = padding_of(stem.second)
        self.positions = len(self._windows.offsets)
        self.num_rows = len(self._windows.kmers) + 1
        self._products = _product_network(stem)

    def table(self, weights: Sequence[NDArray], out: NDArray | None = None) -> NDArray:
        """Return the products of every k-mer with every tap of the second kernel, `(taps * num_rows, filters)`.

        The bias is among the products with the tap that meets a position itself, which lies in every sequence.

        Args:
            weights: Weights of the model.
            out: An earlier table, which is overwritten.
        """
        self._model.set_weights(list(weights))
        first, *others = self._stem.first.get_weights()
        kernel, *bias = self._stem.second.get_weights()
        offset = np.zeros((self._taps, self._filters), kernel.dtype)
        offset[self._padding[0]] = bias[0] if bias else 0
        self._products.layers[1].set_weights([first.reshape(-1, first.shape[-1]), *others])
        self._products.layers[-1].set_weights([kernel.swapaxes(0, 1).reshape(-1, offset.size), offset.ravel()])
        table = np.empty((self._taps * self.num_rows, self._filters), kernel.dtype) if out is None else out
        by_tap = table.reshape(self._taps, self.num_rows, self._filters)
        by_tap[:, -1] = 0
        encoding = np.eye(5, 4, dtype=kernel.dtype)
        for start in range(0, self.num_rows - 1, _ROWS_A_CALL):
            kmers = self._windows.kmers[start : start + _ROWS_A_CALL]
            windows = encoding[sliding_window_view(kmers, len(first), axis=1)]
            products = self._products.predict_on_batch(windows.reshape(len(kmers), self._stem.pool, -1))
            products = products.reshape(len(kmers), self._taps, self._filters)
            by_tap[:, start : start + len(kmers)] = products.swapaxes(0, 1)
        return table

    def tail_weights(self, weights: Sequence[NDArray]) -> list[NDArray]:
        """Return those weights of the model that the layers behind the stem have."""
        places = {id(variable): place for place, variable in enumerate(self._model.weights)}
        return [weights[places[id(variable)]] for variable in self.tail.weights]

    def rows(self, tokens: Any) -> Any:
        """Return the row of every position for tokens `(B, L)`, `(B, positions and padding)` int32.

        There are no rows for N: a position that sees one has a row, and a wrong one.
        """
        windows, pool, reach = self._windows, self._stem.pool, self._stem.reach
        digits = ops.pad(ops.minimum(ops.cast(tokens, "int32"), 3), [[0, 0], [windows.before, windows.after]])
        span = pool * (self.positions - 1) + 1
        codes = sum(digits[:, base : base + span : pool] * 4 ** (reach - 1 - base) for base in range(reach))
        found = ops.convert_to_tensor(windows.offsets) + ops.floor_divide(codes, windows.divisors)
        return ops.pad(found, [[0, 0], list(self._padding)], constant_values=self.num_rows - 1)

    def looked_up(self, table: Any, rows: Any) -> Any:
        """Return what the stem computes for sequences `(B, positions, filters)`, which `tail` takes.

        Args:
            table: A table.
            rows: What `rows` returned for the sequences.
        """
        size = int(rows.shape[1]) - self._taps + 1
        products = [
            ops.take(table, rows[:, tap : tap + size] + tap * self.num_rows, axis=0) for tap in range(self._taps)
        ]
        return self._stem.second.activation(sum(products))


def kmer_form(model: keras.Model) -> KmerForm | None:
    """Return a form of a model that looks its first layers up; None where it has no such layers.

    Args:
        model: An inference form, or any other model; it belongs to the result from now on.
    """
    stem = find_stem(model)
    if stem is None or stem.reach > LONGEST or model.input_shape[1] < 2 * LONGEST:
        return None
    form = KmerForm(model, stem)
    width = int(np.prod(stem.second.kernel.shape[::2]))
    size = np.dtype(keras.backend.standardize_dtype(stem.second.kernel.dtype)).itemsize
    return form if form.num_rows * width * size <= MOST_BYTES else None


class _Windows(NamedTuple):
    """Which k-mers there are, and how a position finds its own.

    A position near an end of the sequence depends on fewer bases. It has k-mers of its own, with nothing where the
    sequence has ended.

    Attributes:
        kmers: Tokens `(rows, reach)` uint8; 4 where nothing is.
        offsets: First row of the k-mers of a position, `(positions,)` int32.
        divisors: What the code of a position is divided by to leave out the bases behind the end, the same shape.
        before: Bases that the first position lacks.
        after: Bases that the last position lacks, if any.
    """

    kmers: NDArray
    offsets: NDArray
    divisors: NDArray
    before: int
    after: int

    @classmethod
    def of(cls, stem: Stem, length: int) -> _Windows:
        left, right = padding_of(stem.first)
        positions = (length + left + right - stem.first.kernel_size[0] + 1) // stem.pool
        starts = np.arange(positions) * stem.pool - left
        lacking = [(max(0, -start), max(0, start + stem.reach - length)) for start in starts.tolist()]
        first_rows: dict[tuple[int, int], int] = {}
        kmers: list[NDArray] = []
        for pattern in sorted(set(lacking)):
            first_rows[pattern] = sum(map(len, kmers))
            kmers.append(_all_kmers(stem.reach, *pattern))
        return cls(
            np.concatenate(kmers),
            np.array([first_rows[pattern] for pattern in lacking], np.int32),
            np.array([4**after for _, after in lacking], np.int32),
            left,
            max(after for _, after in lacking),
        )


def _all_kmers(reach: int, before: int, after: int) -> NDArray:
    """Return every k-mer that lacks some bases before and after it, in the order of its code."""
    known = reach - before - after
    digits = np.arange(4**known)[:, None] // 4 ** np.arange(known)[::-1] % 4
    return np.pad(digits.astype(np.uint8), [(0, 0), (before, after)], constant_values=_MISSING)


def _product_network(stem: Stem) -> keras.Model:
    """Return the stem for one k-mer: from the windows of the first kernel to the products with every second tap."""
    first, second = stem.first, stem.second
    inputs = keras.Input((stem.pool, first.kernel_size[0] * 4), dtype=first.compute_dtype)
    x = keras.layers.Dense(first.filters, first.activation, first.use_bias, dtype=first.dtype_policy)(inputs)
    for layer in stem.between:
        x = layer(x)
    x = keras.layers.Flatten()(x)
    columns = second.kernel_size[0] * second.filters
    return keras.Model(inputs, keras.layers.Dense(columns, dtype=second.dtype_policy)(x))
