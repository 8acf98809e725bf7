from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
from scipy.stats import chisquare

from degu.data import dinucleotides
from degu.data.dinucleotides import shuffle_dinucleotides
from degu.data.encoding import detokenize, tokenize
from degu.errors import DataError


def every_shuffle(sequence):
    """All sequences with the dinucleotides of one, by trying all orders of its letters."""
    wanted = Counter(pairwise(sequence))
    orders = {"".join(letters) for letters in permutations(sequence)}
    return sorted(order for order in orders if order[0] == sequence[0] and Counter(pairwise(order)) == wanted)


@pytest.mark.parametrize("sequence", ["AACCAACNA", "CAGACATA", "GATTACAGA", "ACGGTCGA"])
def test_every_shuffle_is_equally_likely(sequence):
    expected = every_shuffle(sequence)
    assert len(expected) > 1
    drawn = Counter(detokenize(shuffle_dinucleotides(tokenize([sequence]), 20_000, seed=1)[0]))
    assert set(drawn) == set(expected)
    assert chisquare([drawn[order] for order in expected]).pvalue > 1e-3


def test_dinucleotides_and_ends_stay():
    generator = np.random.default_rng(0)
    tokens = generator.choice(5, size=(30, 80), p=[0.3, 0.3, 0.2, 0.15, 0.05]).astype(np.uint8)
    shuffled = shuffle_dinucleotides(tokens, 4, seed=2)
    assert shuffled.shape == (30, 4, 80)
    assert shuffled.dtype == np.uint8
    for row, draws in zip(tokens, shuffled, strict=True):
        for draw in draws:
            assert Counter(pairwise(draw.tolist())) == Counter(pairwise(row.tolist()))
            assert (draw[0], draw[-1]) == (row[0], row[-1])
            assert (draw != row).any()
        assert len(np.unique(draws, axis=0)) == 4


@pytest.mark.parametrize("sequence", ["A", "N", "AC", "AAAA", "ACACACACG", "ACGT"])
def test_what_cannot_be_shuffled_stays(sequence):
    assert detokenize(shuffle_dinucleotides(tokenize([sequence]), 3)[0]) == [sequence] * 3


def test_draws_depend_on_the_seed_and_not_on_the_chunks(monkeypatch):
    tokens = np.random.default_rng(1).integers(0, 4, (9, 50), dtype=np.uint8)
    shuffled = shuffle_dinucleotides(tokens, 3, seed=5)
    monkeypatch.setattr(dinucleotides, "_CELLS", 1)
    np.testing.assert_array_equal(shuffle_dinucleotides(tokens, 3, seed=5), shuffled)
    np.testing.assert_array_equal(shuffle_dinucleotides(tokens[:4], 3, seed=5), shuffled[:4])
    assert (shuffle_dinucleotides(tokens, 3, seed=6) != shuffled).any()


def test_mistakes_are_named():
    with pytest.raises(DataError, match=r"expected shape \(N, L\) with L at least 1, received \(4,\)"):
        shuffle_dinucleotides(np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="num_shuffles: expected at least 1, received 0"):
        shuffle_dinucleotides(np.zeros((1, 4), np.uint8), 0)
