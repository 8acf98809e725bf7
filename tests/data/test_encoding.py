from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degu.data import detokenize, one_hot, reverse_complement, tokenize, tokens_from_one_hot
from degu.errors import DataError


@st.composite
def dna(draw: st.DrawFn, alphabet: str = "ACGTN") -> list[str]:
    length = draw(st.integers(1, 12))
    return draw(st.lists(st.text(alphabet, min_size=length, max_size=length), min_size=1, max_size=6))


def test_letters_have_the_documented_codes_in_either_case() -> None:
    tokens = tokenize(["ACGTN", "acgtn"])

    assert tokens.dtype == np.uint8
    np.testing.assert_array_equal(tokens, [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]])


def test_one_hot_channels_are_in_the_order_acgt_and_n_is_zeros() -> None:
    encoded = one_hot(tokenize(["CATGN"]))

    assert encoded.dtype == np.float32
    expected = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(encoded, [expected])


def test_reverse_complement_of_a_known_sequence() -> None:
    assert detokenize(reverse_complement(tokenize(["AACGTN"]))) == ["NACGTT"]


@given(dna("ACGTNacgtn"))
def test_letters_survive_tokens(sequences: list[str]) -> None:
    assert detokenize(tokenize(sequences)) == [sequence.upper() for sequence in sequences]


@given(dna())
def test_tokens_survive_one_hot(sequences: list[str]) -> None:
    tokens = tokenize(sequences)
    np.testing.assert_array_equal(tokens_from_one_hot(one_hot(tokens)), tokens)


@given(dna())
def test_reverse_complement_agrees_with_string_handling_and_undoes_itself(sequences: list[str]) -> None:
    tokens = tokenize(sequences)
    swapped = [sequence[::-1].translate(str.maketrans("ACGT", "TGCA")) for sequence in sequences]

    assert detokenize(reverse_complement(tokens)) == swapped
    np.testing.assert_array_equal(reverse_complement(reverse_complement(tokens)), tokens)


def test_any_leading_shape_is_encoded() -> None:
    tokens = np.arange(30).reshape(2, 3, 5) % 5

    encoded = one_hot(tokens)

    assert encoded.shape == (2, 3, 5, 4)
    np.testing.assert_array_equal(encoded[1, 2], one_hot(tokens[1, 2]))
    np.testing.assert_array_equal(tokens_from_one_hot(encoded), tokens)


@pytest.mark.parametrize(
    ("letter", "remedy"),
    [("U", "Write T for U"), ("u", "Write T for U"), ("R", "ambiguity"), ("-", "Remove"), ("é", "Remove")],
)
def test_another_letter_is_named_with_its_place_and_remedy(letter: str, remedy: str) -> None:
    with pytest.raises(DataError) as error:
        tokenize(["ACGT", f"AC{letter}T"], where="my oligos")

    for part in ("my oligos", "row 1", "position 2", repr(letter), remedy):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "at least one DNA string"),
        (["AC", ""], "row 1 .*received an empty one"),
        (["", "AC"], "row 0 .*received an empty one"),
        (["ACG", "ACG", "AC", "A"], "row 2 .*expected 3 letters as in row 0 .*received 2"),
        ("ACGT", "received one string"),
        (["ACG", float("nan")], "row 1 .*received float"),
    ],
)
def test_sequences_that_are_no_list_of_equal_strings_are_refused(sequences: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tokenize(sequences)


@pytest.mark.parametrize("tokens", [[[0.0, 1.0]], [[0, 5]], [[-1, 0]]])
def test_what_is_no_token_is_refused(tokens: list[list[float]]) -> None:
    for function in (one_hot, reverse_complement, detokenize):
        with pytest.raises(DataError, match="integers 0 to 4"):
            function(tokens)


def test_detokenize_wants_two_axes() -> None:
    with pytest.raises(DataError, match=r"expected shape \(N, L\), received \(3,\)"):
        detokenize([0, 1, 2])


@pytest.mark.parametrize("row", [[1, 1, 0, 0], [0.5, 0.5, 0, 0], [2, 0, 0, 0], [-1, 1, 0, 0], [np.nan, 0, 0, 0]])
def test_channels_that_are_not_one_hot_are_refused(row: list[float]) -> None:
    x = np.zeros((2, 3, 4))
    x[1, 2] = row
    with pytest.raises(DataError, match=r"index \(1, 2\)"):
        tokens_from_one_hot(x)


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(DataError, match=r"\(\.\.\., L, 4\), received \(2, 5\)"):
        tokens_from_one_hot(np.zeros((2, 5)))
