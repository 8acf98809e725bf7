"""A simulated assay: random DNA with planted motifs, measured with known noise."""

from __future__ import annotations

import numpy as np

from degu.data.encoding import detokenize
from degu.data.motif_grammar import MotifGrammar
from degu.data.split import Split
from degu.data.splits import Splits
from degu.errors import DataError


def synthetic(
    num_train: int = 2000,
    num_valid: int = 500,
    num_test: int = 500,
    length: int = 100,
    num_targets: int = 2,
    num_replicates: int = 0,
    noise: float = 0.3,
    seed: int = 0,
) -> Splits:
    """Simulate an assay whose true mean and true noise are known.

    The truth is ``MotifGrammar(length, num_targets, noise, seed)``. Each split draws from its own random
    stream, so the size of one does not change another.

    Args:
        num_train: Train sequences, at least 1.
        num_valid: Valid sequences, at least 1.
        num_test: Test sequences, at least 1.
        length: Letters per sequence.
        num_targets: Targets per sequence.
        num_replicates: 0 for one measurement without replicates; from 2 on, the targets are means over that
            many measurements and `target_std` their standard deviation (ddof 1).
        noise: Standard deviation of one measurement of a quiet sequence, where the true means have one of 1.
        seed: Seed of the grammar, the sequences and the noise.

    Returns:
        The data set.

    Raises:
        DataError: An argument outside its range.
    """
    sizes = {"train": num_train, "valid": num_valid, "test": num_test}
    for name, size in sizes.items():
        if size < 1:
            raise DataError(f"num_{name}: expected at least 1, received {size}.")
    if num_replicates < 0 or num_replicates == 1:
        raise DataError(
            f"num_replicates: expected 0 (no replicates) or at least 2, received {num_replicates}. "
            "One replicate has no standard deviation."
        )
    grammar = MotifGrammar(length, num_targets, noise, seed)
    # stream 0 belongs to the grammar
    streams = np.random.SeedSequence(seed).spawn(1 + len(sizes))[1:]
    parts = {
        name: _measure(grammar, name, size, num_replicates, np.random.default_rng(stream))
        for (name, size), stream in zip(sizes.items(), streams, strict=True)
    }
    names = tuple(f"activity_{index}" for index in range(num_targets))
    source = f"synthetic (noise {noise:g}, {num_replicates} replicates, seed {seed})"
    return Splits(**parts, target_names=names, source=source, motifs=tuple(detokenize(grammar.motifs)))


def _measure(grammar: MotifGrammar, name: str, size: int, num_replicates: int, rng: np.random.Generator) -> Split:
    tokens = grammar.sample(size, rng)
    mean, sd = grammar.mean(tokens), grammar.noise_sd(tokens)
    measured = mean + sd * rng.standard_normal((max(num_replicates, 1), *mean.shape))
    std = measured.std(axis=0, ddof=1) if num_replicates else None
    ids = np.array([f"{name}-{row}" for row in range(size)])
    return Split(tokens, measured.mean(axis=0), ids, std)
