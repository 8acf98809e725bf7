from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from degu.data import MotifGrammar, reverse_complement, synthetic
from degu.data.motif_grammar import WIDTH
from degu.errors import DataError


def small(**arguments: Any) -> Any:
    return synthetic(**({"num_train": 300, "num_valid": 50, "num_test": 60, "length": 60} | arguments))


def test_sizes_and_names() -> None:
    splits = small(num_targets=3)

    assert [len(split) for _, split in splits.items()] == [300, 50, 60]
    assert (splits.length, splits.num_targets) == (60, 3)
    assert splits.target_names == ("activity_0", "activity_1", "activity_2")
    assert splits.train.target_std is None
    assert splits.train.ids[0] == "train-0"


def test_a_seed_decides_everything_and_zero_is_a_seed() -> None:
    assert small(seed=0).digest == small().digest
    assert small(seed=0).digest != small(seed=1).digest


def test_splits_differ_and_the_size_of_one_does_not_change_another() -> None:
    splits, larger = small(), small(num_train=400)

    assert larger.test.digest == splits.test.digest
    assert larger.valid.digest == splits.valid.digest
    rows = {row.tobytes() for _, split in splits.items() for row in split.tokens}
    assert len(rows) == 410


def test_activity_by_hand() -> None:
    grammar = MotifGrammar(length=40, num_targets=2, seed=3)
    # N matches nothing, so only what is written below counts
    tokens = np.full((4, 40), 4, dtype=np.uint8)
    tokens[1, 5 : 5 + WIDTH] = grammar.motifs[0]
    tokens[2, 20 : 20 + WIDTH] = reverse_complement(grammar.motifs[0])
    tokens[3, 5 : 5 + WIDTH] = grammar.motifs[0]
    tokens[3, 5] = (tokens[3, 5] + 1) % 4

    empty, forward, backward, damaged = grammar.mean(tokens)

    assert np.abs(forward - empty).min() > 0.05
    np.testing.assert_allclose(backward, forward, rtol=1e-12)
    np.testing.assert_allclose(damaged - empty, (forward - empty) / 2, rtol=1e-12)


def test_interaction_fades_with_distance_as_documented() -> None:
    grammar = MotifGrammar(length=60, num_targets=1, seed=3)
    tokens = np.full((5, 60), 4, dtype=np.uint8)
    tokens[1:4, 0:WIDTH] = grammar.motifs[2]
    for row, start in ((2, 10), (3, 30), (4, 30)):
        tokens[row, start : start + WIDTH] = grammar.motifs[3]

    empty, first, near, far, second = grammar.mean(tokens)[:, 0]

    alone = (first - empty) + (second - empty)
    assert (near - empty - alone) / (far - empty - alone) == pytest.approx(np.exp(20 / 20))


def test_noise_by_hand() -> None:
    grammar = MotifGrammar(length=40, num_targets=2, noise=0.2, seed=3)
    tokens = np.full((3, 40), 4, dtype=np.uint8)
    tokens[1, 5 : 5 + WIDTH] = grammar.motifs[4]
    tokens[2, 5 : 5 + WIDTH] = grammar.motifs[4]
    tokens[2, 25 : 25 + WIDTH] = grammar.motifs[4]

    quiet, loud, twice = grammar.noise_sd(tokens)

    np.testing.assert_allclose(quiet, 0.2)
    assert ((loud > 0.2 * 2.5) & (loud < 0.2 * 3.5)).all()
    np.testing.assert_allclose(twice, loud)
    np.testing.assert_allclose(grammar.mean(tokens)[1], grammar.mean(tokens)[0])


def test_truth_is_a_function_of_the_sequence_alone() -> None:
    tokens = small().train.tokens[:40]
    order = np.random.default_rng(0).permutation(40)
    first, again = MotifGrammar(60, seed=0), MotifGrammar(60, seed=0)

    for name in ("mean", "noise_sd"):
        truth = getattr(first, name)(tokens)
        assert np.ptp(truth, axis=0).min() > 0
        np.testing.assert_allclose(getattr(again, name)(tokens[order]), truth[order], rtol=1e-12)
        np.testing.assert_allclose(getattr(first, name)(reverse_complement(tokens)), truth, rtol=1e-9)


@pytest.mark.parametrize("length", [40, 100])
def test_true_means_are_standardised(length: int) -> None:
    grammar = MotifGrammar(length, num_targets=3, seed=5)
    mean = grammar.mean(grammar.sample(4000, np.random.default_rng(11)))

    np.testing.assert_allclose(mean.mean(axis=0), 0.0, atol=0.08)
    np.testing.assert_allclose(mean.std(axis=0), 1.0, atol=0.08)


def test_replicates_scatter_as_the_known_noise_says() -> None:
    splits = small(num_train=1500, num_replicates=6)
    grammar = MotifGrammar(60)
    mean, sd = grammar.mean(splits.train.tokens), grammar.noise_sd(splits.train.tokens)
    std = splits.train.target_std

    error = (splits.train.targets - mean) / (sd / np.sqrt(6))
    # 3,000 standard normal values: mean within 4 / sqrt(3000), variance within 4 * sqrt(2 / 3000)
    assert abs(error.mean()) < 0.073
    assert abs(error.var() - 1) < 0.103
    assert std is not None
    # (n - 1) s^2 / sigma^2 is chi-square with 5 degrees of freedom: mean 5, variance 10
    chi_square = 5 * (std / sd) ** 2
    assert abs(chi_square.mean() - 5) < 4 * np.sqrt(10 / 3000)
    loud = sd > 0.31
    assert (std[loud] ** 2).mean() > 2 * (std[~loud] ** 2).mean()


def test_without_noise_the_measurement_is_the_truth() -> None:
    splits = small(noise=0.0, num_replicates=2)
    np.testing.assert_allclose(splits.test.targets, MotifGrammar(60).mean(splits.test.tokens), atol=1e-5)
    np.testing.assert_allclose(splits.test.target_std, 0.0, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_default_noise_leaves_most_of_the_signal(seed: int) -> None:
    splits = synthetic(seed=seed)
    mean = MotifGrammar(seed=seed).mean(splits.train.tokens)
    for column in range(2):
        assert 0.75 < np.corrcoef(mean[:, column], splits.train.targets[:, column])[0, 1] < 0.92


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_valid": 0}, "num_valid: expected at least 1, received 0"),
        ({"num_replicates": 1}, "num_replicates: expected 0 .* or at least 2, received 1"),
        ({"num_replicates": -1}, "received -1"),
        ({"length": 19}, "length: expected at least 20, received 19"),
        ({"num_targets": 0}, "num_targets: expected at least 1"),
        ({"noise": -0.1}, "noise: expected at least 0"),
        ({"noise": float("nan")}, "noise: expected at least 0, received nan"),
        ({"seed": -1}, "seed: expected at least 0"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        small(**arguments)


def test_the_truth_refuses_sequences_shorter_than_a_motif() -> None:
    with pytest.raises(DataError, match="L at least 8"):
        MotifGrammar(40).mean(np.zeros((2, 7), dtype=np.uint8))
