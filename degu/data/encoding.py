"""DNA as letters, as tokens and as one-hot arrays.

Tokens are unsigned bytes: A, C, G, T are 0, 1, 2, 3 and N (unknown) is 4. One-hot arrays have four channels
in the order A, C, G, T; an N is a row of zeros.

Every reader has one policy for other letters, that of `tokenize`: lower case is read as upper case, N is allowed, U and
the IUPAC letters that stand for several bases are refused by name, unless `uracil="as_t"` or `ambiguous="as_n"` says
what to make of them. Anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from degu.errors import DataError

LETTERS = "ACGTN"
UNKNOWN = 4

Ambiguous = Literal["refuse", "as_n"]
"""What becomes of R, Y, S, W, K, M, B, D, H and V."""

Uracil = Literal["refuse", "as_t"]
"""What becomes of U."""

_INVALID = 255
_AMBIGUOUS = frozenset("RYSWKMBDHV")
_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN], dtype=np.uint8)
_ONE_HOT = np.eye(5, 4, dtype=np.float32)
_BYTES = np.frombuffer(LETTERS.encode(), dtype=np.uint8)
_CODES = np.full(256, _INVALID, dtype=np.uint8)
_CODES[_BYTES] = _CODES[np.frombuffer(LETTERS.lower().encode(), dtype=np.uint8)] = np.arange(5)


def codes(ambiguous: Ambiguous = "refuse", uracil: Uracil = "refuse") -> npt.NDArray[np.uint8]:
    """Return the token of every byte, and 255 where a byte is no letter that is accepted.

    Args:
        ambiguous: ``"as_n"`` reads R, Y, S, W, K, M, B, D, H and V as N.
        uracil: ``"as_t"`` reads U as T.

    Returns:
        Shape (256,), dtype uint8.

    Raises:
        DataError: Another word.
    """
    for name, value, choices in (
        ("ambiguous", ambiguous, get_args(Ambiguous)),
        ("uracil", uracil, get_args(Uracil)),
    ):
        if value not in choices:
            raise DataError(f"{name}: expected one of {', '.join(choices)}, received {value!r}.")
    table = _CODES.copy()
    if ambiguous == "as_n":
        for letter in _AMBIGUOUS:
            table[ord(letter)] = table[ord(letter.lower())] = UNKNOWN
    if uracil == "as_t":
        table[ord("U")] = table[ord("u")] = LETTERS.index("T")
    return table


def _row_from_zero(row: int) -> str:
    return f"row {row} (counted from 0)"


def tokenize(
    sequences: Sequence[str],
    *,
    where: str = "sequences",
    name_row: Callable[[int], str] = _row_from_zero,
    ambiguous: Ambiguous = "refuse",
    uracil: Uracil = "refuse",
) -> npt.NDArray[np.uint8]:
    """Turn DNA strings of one length into tokens.

    Args:
        sequences: N strings of L letters A, C, G, T or N, in either case.
        where: What the sequences are, for error messages.
        name_row: Turns a row index into words, for error messages; a file reader names its line here.
        ambiguous: ``"as_n"`` reads the letters R, Y, S, W, K, M, B, D, H and V as N.
        uracil: ``"as_t"`` reads U as T.

    Returns:
        Tokens of shape (N, L), dtype uint8.

    Raises:
        DataError: No sequences, an empty sequence, lengths that differ, or another letter.

    Example:
        >>> tokenize(["ACGT", "ttna"])
        array([[0, 1, 2, 3],
               [3, 3, 4, 0]], dtype=uint8)
    """
    if isinstance(sequences, str):
        raise DataError(f"{where}: expected a list of DNA strings, received one string. Put it in a list.")
    rows = list(sequences)
    length = _common_length(rows, where, name_row)
    letters = np.frombuffer("".join(rows).encode("ascii", errors="replace"), dtype=np.uint8)
    tokens = codes(ambiguous, uracil)[letters].reshape(len(rows), length)
    invalid = tokens == _INVALID
    if invalid.any():
        row, position = np.argwhere(invalid)[0]
        letter = rows[row][position]
        raise DataError(
            f"{where}, {name_row(int(row))}, position {position} (counted from 0): "
            f"expected A, C, G, T or N, received {letter!r}. {_remedy(letter)}"
        )
    return tokens


def _common_length(rows: list[str], where: str, name_row: Callable[[int], str]) -> int:
    if not rows:
        raise DataError(f"{where}: expected at least one DNA string, received none.")
    for row, sequence in enumerate(rows):
        if not isinstance(sequence, str):
            raise DataError(
                f"{where}, {name_row(row)}: expected a DNA string, received {type(sequence).__name__}. "
                "Arrays of tokens or one-hot rows need no tokenizing."
            )
        if not sequence:
            raise DataError(
                f"{where}, {name_row(row)}: expected a DNA string, received an empty one. "
                "Remove the row or fill in its sequence."
            )
        if len(sequence) != len(rows[0]):
            raise DataError(
                f"{where}, {name_row(row)}: expected {len(rows[0])} letters as in {name_row(0)}, "
                f"received {len(sequence)}. Trim the sequences or pad them with N to one length."
            )
    return len(rows[0])


def _remedy(letter: str) -> str:
    if letter in "Uu":
        return "Write T for U: sequences are DNA. uracil=as_t reads every U as T."
    if letter.upper() in _AMBIGUOUS:
        return "Replace the ambiguity letter by N or by one base; ambiguous=as_n reads such letters as N."
    return "Remove it, or write N where the base is unknown."


def check_tokens(tokens: npt.ArrayLike, *, where: str = "tokens") -> npt.NDArray[np.uint8]:
    """Return tokens as uint8, refusing what cannot be tokens.

    Args:
        tokens: Integers 0 to 4 in any shape.
        where: What the tokens are, for error messages.

    Returns:
        The same values, dtype uint8.

    Raises:
        DataError: Not integers, or a value outside 0 to 4.
    """
    array = np.asarray(tokens)
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{where}: expected integers 0 to 4 (A, C, G, T, N), received dtype {array.dtype}. "
            "Use tokenize for strings and tokens_from_one_hot for one-hot arrays."
        )
    if array.size and (array.min() < 0 or array.max() > UNKNOWN):
        raise DataError(
            f"{where}: expected integers 0 to 4 (A, C, G, T, N), received values from {array.min()} "
            f"to {array.max()}. Use tokenize to make tokens from strings."
        )
    return array.astype(np.uint8, copy=False)


def one_hot(tokens: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Turn tokens into one-hot channels A, C, G, T.

    Args:
        tokens: Integers 0 to 4 of shape (..., L).

    Returns:
        Shape (..., L, 4), dtype float32; zeros where the token is N.

    Raises:
        DataError: Values that are not tokens.
    """
    return _ONE_HOT[check_tokens(tokens)]


def tokens_from_one_hot(x: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Turn one-hot channels back into tokens.

    Args:
        x: Shape (..., L, 4), order A, C, G, T; every row has a single 1, or only zeros for N.

    Returns:
        Tokens of shape (..., L), dtype uint8.

    Raises:
        DataError: Another number of channels, or a row that is neither one-hot nor zeros.
    """
    array = np.asarray(x)
    if array.ndim == 0 or array.shape[-1] != 4:
        raise DataError(f"one-hot array: expected shape (..., L, 4), received {array.shape}.")
    known = array.sum(axis=-1)
    faulty = ((array != 0) & (array != 1)).any(axis=-1) | (known > 1)
    if faulty.any():
        index = tuple(int(i) for i in np.argwhere(faulty)[0])
        raise DataError(
            f"one-hot array, index {index}: expected a single 1 or four zeros, "
            f"received {array[index].tolist()}. Soft or noisy channels have no tokens."
        )
    return np.where(known == 0, UNKNOWN, array.argmax(axis=-1)).astype(np.uint8)


def detokenize(tokens: npt.ArrayLike) -> list[str]:
    """Turn tokens into upper-case DNA strings.

    Args:
        tokens: Integers 0 to 4 of shape (N, L).

    Returns:
        N strings of L letters A, C, G, T or N.

    Raises:
        DataError: Another number of axes, or values that are not tokens.
    """
    array = check_tokens(tokens)
    if array.ndim != 2:
        raise DataError(f"tokens: expected shape (N, L), received {array.shape}.")
    return [row.tobytes().decode("ascii") for row in _BYTES[array]]


def reverse_complement(tokens: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Read the other strand, 5' to 3'.

    Args:
        tokens: Integers 0 to 4 of shape (..., L).

    Returns:
        Tokens of the same shape; N stays N.

    Raises:
        DataError: Values that are not tokens.
    """
    return _COMPLEMENT[check_tokens(tokens)][..., ::-1]
