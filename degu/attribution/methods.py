"""Attribution by gradients: saliency, gradient times input, integrated gradients, expected gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.attribution.batching import stretches
from degu.attribution.outputs import Output
from degu.attribution.references import References
from degu.data.encoding import one_hot
from degu.train.batches import encode

_BATCH = 256


def saliency(output: Output, x: ArrayLike, batch_size: int = _BATCH) -> NDArray:
    """Return the derivative of an output by every letter.

    Args:
        output: What is attributed.
        x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        batch_size: Sequences a batch.

    Returns:
        Maps `(N, L, 4)`.

    References:
        Simonyan, Vedaldi, Zisserman (2013), "Deep inside convolutional networks: visualising image classification
        models and saliency maps", arXiv:1312.6034.
    """
    x = np.asarray(x)
    parts = [output.gradient(encode(x[part])) for part in stretches(len(x), batch_size, "saliency")]
    return np.concatenate(parts)


def gradient_x_input(output: Output, x: ArrayLike, batch_size: int = _BATCH) -> NDArray:
    """Return the derivative by the letters that the sequences have, and 0 for the others.

    Args:
        output: What is attributed.
        x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        batch_size: Sequences a batch.

    Returns:
        Maps `(N, L, 4)`.
    """
    x = np.asarray(x)
    return saliency(output, x, batch_size) * encode(x)


def integrated_gradients(
    output: Output,
    x: ArrayLike,
    baseline: ArrayLike | None = None,
    *,
    num_steps: int = 50,
    hypothetical: bool = False,
    batch_size: int = _BATCH,
) -> NDArray:
    """Return gradients averaged on the straight way from a baseline, times the difference to it.

    The sum over a map is the difference of the output between sequence and baseline, up to the error of the average
    (midpoint rule), which falls with the number of steps.

    Args:
        output: What is attributed.
        x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
        baseline: Encoded, in a shape that broadcasts to `(N, L, 4)`: `(N, L, 4)`, `(L, 4)` or `(4,)`; by default zeros.
        num_steps: Points on the way, at least 1.
        hypothetical: Give every letter of a position what it would be credited with if the sequence had it, instead
            of crediting the letters of sequence and baseline. The values of the sequence's own letters then sum to
            the same difference.
        batch_size: Points a batch.

    Returns:
        Maps `(N, L, 4)`.

    Raises:
        ValueError: When the baseline does not fit or there is no step.

    References:
        Sundararajan, Taly, Yan (2017), "Axiomatic attribution for deep networks", arXiv:1703.01365.
    """
    encoded = encode(np.asarray(x))
    given = np.zeros(4, np.float32) if baseline is None else np.asarray(baseline, dtype=np.float32)
    if num_steps < 1:
        raise ValueError(f"Expected num_steps >= 1. Received: num_steps={num_steps}")
    if given.shape != encoded.shape[encoded.ndim - given.ndim :]:
        raise ValueError(
            f"Expected a baseline of shape {encoded.shape}, {encoded.shape[1:]} or (4,). Received: {given.shape}"
        )
    baselines = np.broadcast_to(given, encoded.shape)
    midpoints = (np.arange(num_steps, dtype=np.float32) + 0.5) / num_steps
    shares = np.broadcast_to(midpoints, (len(encoded), num_steps))
    return _on_the_way(
        output, encoded, lambda row, _: baselines[row], shares, hypothetical, batch_size, "integrated gradients"
    )


def expected_gradients(
    output: Output, x: ArrayLike, references: References, *, hypothetical: bool = False, batch_size: int = _BATCH
) -> NDArray:
    """Return gradients between references and sequence, times the difference to the reference, averaged.

    One point is taken on the way from every reference. The points are stored with the references, so that models that
    are compared are looked at in the same places.

    Args:
        output: What is attributed.
        x: Tokens `(N, L)` uint8 or one-hot sequences `(N, L, 4)`.
        references: Made for these sequences by `dinucleotide_references`.
        hypothetical: As for `integrated_gradients`.
        batch_size: Points a batch.

    Returns:
        Maps `(N, L, 4)`.

    Raises:
        DataError: When the references belong to other sequences.

    References:
        Erion, Janizek, Sturmfels, Lundberg, Lee (2021), "Improving performance of deep learning models with axiomatic
        attribution priors and expected gradients", doi:10.1038/s42256-021-00343-w.
    """
    x = np.asarray(x)
    references.check(x)

    def start(row: NDArray, draw: NDArray) -> NDArray:
        return one_hot(references.tokens[row, draw])

    return _on_the_way(output, encode(x), start, references.shares, hypothetical, batch_size, "expected gradients")


def _on_the_way(
    output: Output,
    encoded: NDArray,
    start: Callable[[NDArray, NDArray], NDArray],
    shares: NDArray,
    hypothetical: bool,
    batch_size: int,
    name: str,
) -> NDArray:
    """Average over R points a sequence, each a share of the way from a start to the sequence.

    Args:
        output: What is attributed.
        encoded: Sequences `(N, L, 4)`.
        start: From rows and draws, each `(B,)`, to where the ways begin, `(B, L, 4)`.
        shares: Share of the way of every point, `(N, R)`.
        hypothetical: Credit every letter, instead of those of sequence and start.
        batch_size: Points a batch.
        name: What is being done.
    """
    maps = np.zeros_like(encoded)
    draws = shares.shape[1]
    for part in stretches(len(encoded) * draws, batch_size, name):
        row, draw = np.divmod(np.arange(part.start, part.stop), draws)
        begin = start(row, draw)
        way = encoded[row] - begin
        gradient = output.gradient(begin + shares[row, draw][:, None, None] * way)
        credit = gradient - (gradient * begin).sum(axis=-1, keepdims=True) if hypothetical else gradient * way
        first = np.flatnonzero(np.diff(row, prepend=-1))
        maps[row[first]] += np.add.reduceat(credit, first, axis=0)
    return maps / draws
