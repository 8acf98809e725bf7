from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degu.data import detokenize, kmers, reverse_complement, tokenize
from degu.data.kmers import (
    among,
    distinct,
    letter_counts,
    sequence_hashes,
    similarity_groups,
    strandless,
    stretch_hashes,
)
from degu.errors import DataError

integers = st.integers(0, 2**64 - 1) | st.integers(0, 5)
numbers = st.lists(integers, max_size=30).map(lambda values: np.array(values, dtype=np.uint64))
matrices = st.integers(1, 12).flatmap(
    lambda length: st.lists(st.lists(st.integers(0, 4), min_size=length, max_size=length), min_size=1, max_size=12)
)


def other(text: str) -> str:
    return detokenize(reverse_complement(tokenize([text])))[0]


def groups_by_hand(texts: list[str], k: int) -> list[set[int]]:
    """The rule, spelled out: rows that share a stretch of k letters without N on either strand, or are equal."""

    def stretches(text: str) -> set[str]:
        found = {text[i : i + k] for i in range(len(text) - k + 1) if "N" not in text[i : i + k]}
        return found | {other(part) for part in found} | {"whole " + text, "whole " + other(text)}

    groups: list[tuple[set[int], set[str]]] = []
    for row, text in enumerate(texts):
        rows, parts = {row}, stretches(text)
        apart = []
        for their_rows, their_parts in groups:
            if parts & their_parts:
                rows, parts = rows | their_rows, parts | their_parts
            else:
                apart.append((their_rows, their_parts))
        groups = [*apart, (rows, parts)]
    return sorted((rows for rows, _ in groups), key=min)


@settings(max_examples=150, deadline=None)
@given(tokens=matrices, k=st.integers(1, 12))
def test_groups_follow_the_rule(tokens: list[list[int]], k: int) -> None:
    array = np.array(tokens, dtype=np.uint8)
    k = min(k, array.shape[1])
    label = similarity_groups(array, k)
    found = [set(np.flatnonzero(label == name).tolist()) for name in sorted(set(label.tolist()))]
    assert sorted(found, key=min) == groups_by_hand(detokenize(array), k)
    assert all(min(rows) == label[min(rows)] for rows in found)


@settings(max_examples=100, deadline=None)
@given(tokens=matrices)
def test_equal_numbers_are_equal_sequences(tokens: list[list[int]]) -> None:
    array = np.array(tokens, dtype=np.uint8)
    own, reverse = sequence_hashes(array)
    texts = detokenize(array)
    for a, text in enumerate(texts):
        for b, second in enumerate(texts):
            assert (own[a] == own[b]) == (text == second)
            assert (reverse[a] == own[b]) == (other(text) == second)
    np.testing.assert_array_equal(strandless(array), strandless(reverse_complement(array)))


def test_stretches_are_the_same_on_either_strand() -> None:
    array = np.random.default_rng(0).integers(0, 5, (20, 30), dtype=np.uint8)
    here, known = stretch_hashes(array, 7)
    there, known_there = stretch_hashes(reverse_complement(array), 7)
    np.testing.assert_array_equal(here, there[:, ::-1])
    np.testing.assert_array_equal(known, known_there[:, ::-1])
    assert known[0].tolist() == ["N" not in detokenize(array[:1, i : i + 7])[0] for i in range(24)]


def test_rows_are_grouped_in_passes_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(1).integers(0, 4, (300, 40), dtype=np.uint8)
    expected = similarity_groups(array, 6)
    monkeypatch.setattr("degu.data.kmers._CELLS", 1000)
    np.testing.assert_array_equal(similarity_groups(array, 6), expected)


@pytest.mark.parametrize("k", [0, 6])
def test_a_stretch_has_a_length_that_is_there(k: int) -> None:
    with pytest.raises(DataError, match="k: expected a number of letters from 1 to 5"):
        similarity_groups(tokenize(["ACGTA"]), k)


@settings(max_examples=100, deadline=None)
@given(numbers, numbers)
def test_numbers_among_others_are_those_of_numpy(some: np.ndarray, others: np.ndarray) -> None:
    np.testing.assert_array_equal(distinct(others), np.unique(others))
    np.testing.assert_array_equal(among(some, distinct(others)), np.isin(some, others))


def test_letters_are_counted_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmers, "_LETTERS_AT_ONCE", 70)
    tokens = np.random.default_rng(0).integers(0, 5, (33, 20), dtype=np.uint8)
    np.testing.assert_array_equal(letter_counts(tokens), [(tokens == token).sum() for token in range(5)])
    assert letter_counts(tokens[:0]).tolist() == [0] * 5
