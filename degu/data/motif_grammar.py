"""A rule that gives every DNA sequence a true activity and a true measurement noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from degu.data.encoding import check_tokens, reverse_complement
from degu.errors import DataError

WIDTH = 8
_SLOT = WIDTH + 2
_NUM_ACTIVE = 4
_NUM_MOTIFS = _NUM_ACTIVE + 1  # the last motif raises the noise and leaves the mean alone
_PAIRS = ((0, 1), (2, 3))
_DECAY = 20.0
_PLANTED_PER_SEQUENCE = 4.0
_MAX_OCCUPANCY = 0.8
_DAMAGED = 0.3
_REFERENCE_SIZE = 4096
_FULL_MATCH, _ONE_MISMATCH = 1.0, 0.5


class MotifGrammar:
    """Activity from motifs and their spacing; noise from one further motif.

    Five 8-letter motifs are drawn from the seed. A place that matches a motif on either strand counts 1, with
    a single mismatch 0.5. The activity of a sequence is a weighted sum over four motifs of these counts and,
    for two pairs of motifs, a weighted sum over pairs of places of the product of counts times
    ``exp(-distance / 20)``. Each target has its own weights. Activities are shifted and scaled to mean 0 and
    standard deviation 1 over sequences of `sample`. The fifth motif multiplies the noise by up to 2.5 to 3.5,
    depending on the target.

    Both are functions of the sequence alone, so mutated or shifted sequences have a truth too.

    Args:
        length: Letters of the sequences that `sample` draws, at least 20.
        num_targets: K, at least 1.
        noise: Standard deviation of a measurement where the fifth motif is absent, at least 0.
        seed: Seed of motifs and weights, at least 0.

    Raises:
        DataError: An argument outside its range.
    """

    def __init__(self, length: int = 100, num_targets: int = 2, noise: float = 0.3, seed: int = 0) -> None:
        for name, value, least in (
            ("length", length, 2 * _SLOT),
            ("num_targets", num_targets, 1),
            ("noise", noise, 0),
            ("seed", seed, 0),
        ):
            if not value >= least:
                raise DataError(f"{name}: expected at least {least}, received {value}.")
        self.length = length
        self.num_targets = num_targets
        self.noise = noise
        self.seed = seed
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        self.motifs = rng.integers(0, 4, (_NUM_MOTIFS, WIDTH), dtype=np.uint8)
        self._weights = _signed(rng, (_NUM_ACTIVE + len(_PAIRS), num_targets))
        self._noise_gain = rng.uniform(1.5, 2.5, num_targets)
        reference = self._activity(self.sample(_REFERENCE_SIZE, rng))
        self._offset, self._scale = reference.mean(axis=0), reference.std(axis=0)

    def sample(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Draw random DNA with planted motifs, about four per sequence, on either strand.

        Args:
            size: Sequences to draw.
            rng: Source of randomness.

        Returns:
            Tokens of shape (size, length).
        """
        tokens = rng.integers(0, 4, (size, self.length), dtype=np.uint8)
        slots = self.length // _SLOT
        rows, slot = np.nonzero(rng.random((size, slots)) < min(_MAX_OCCUPANCY, _PLANTED_PER_SEQUENCE / slots))
        start = slot * _SLOT + rng.integers(0, _SLOT - WIDTH + 1, rows.size)
        tokens[rows[:, None], start[:, None] + np.arange(WIDTH)] = self._instances(rows.size, rng)
        return tokens

    def mean(self, tokens: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the true activity.

        Args:
            tokens: Shape (N, L), any L of at least 8; N (unknown) matches no motif.

        Returns:
            Shape (N, K); mean 0 and standard deviation 1 over sequences of `sample`.

        Raises:
            DataError: Another shape, or values that are not tokens.
        """
        return (self._activity(tokens) - self._offset) / self._scale

    def noise_sd(self, tokens: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the true standard deviation of one measurement.

        Args:
            tokens: Shape (N, L), any L of at least 8; N (unknown) matches no motif.

        Returns:
            Shape (N, K), in the unit of the activity.

        Raises:
            DataError: Another shape, or values that are not tokens.
        """
        presence = np.minimum(_hits(tokens, self.motifs[_NUM_ACTIVE]).sum(axis=1), 1.0)
        return self.noise * (1.0 + presence[:, None] * self._noise_gain)

    def _instances(self, count: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        strands = np.stack([self.motifs, reverse_complement(self.motifs)])
        instances = strands[rng.integers(0, 2, count), rng.integers(0, _NUM_MOTIFS, count)]
        damaged = np.flatnonzero(rng.random(count) < _DAMAGED)
        position = rng.integers(0, WIDTH, damaged.size)
        other_base = rng.integers(1, 4, damaged.size, dtype=np.uint8)
        instances[damaged, position] = (instances[damaged, position] + other_base) % 4
        return instances

    def _activity(self, tokens: npt.ArrayLike) -> npt.NDArray[np.float64]:
        hits = [_hits(tokens, motif) for motif in self.motifs[:_NUM_ACTIVE]]
        places = np.arange(hits[0].shape[1])
        nearness = np.exp(-np.abs(places[:, None] - places) / _DECAY)
        counts = [track.sum(axis=1) for track in hits]
        pairs = [((hits[first] @ nearness) * hits[second]).sum(axis=1) for first, second in _PAIRS]
        return np.stack([*counts, *pairs], axis=1) @ self._weights


def _signed(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def _hits(tokens: npt.ArrayLike, motif: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Score each place of shape (N, L - 7): the better of the two strands."""
    array = check_tokens(tokens)
    if array.ndim != 2 or array.shape[1] < WIDTH:
        raise DataError(f"tokens: expected shape (N, L) with L at least {WIDTH}, received {array.shape}.")
    windows = np.lib.stride_tricks.sliding_window_view(array, WIDTH, axis=1)
    matches = np.maximum((windows == motif).sum(axis=2), (windows == reverse_complement(motif)).sum(axis=2))
    scores = np.zeros(WIDTH + 1)
    scores[WIDTH - 1 :] = _ONE_MISMATCH, _FULL_MATCH
    return scores[matches]
