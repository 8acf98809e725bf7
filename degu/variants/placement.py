"""Windows around a variant: what a network sees of the sequence with either allele.

Alleles are trimmed to what differs. The middle of an allele stands in the middle of its window, with the longer side to
the right: a single letter in a window of 230 has index 114. Near an end of the sequence the window is moved as little
as needed to stay inside it, so that a sequence as long as the window is its own window.

The window of the alternative allele is placed by the same rule in the changed sequence. Around an insertion or deletion
the letters on both sides therefore move by half of its length, letters at the ends of the window leave or enter it, and
the length stays. Where a deletion leaves fewer letters than the window has, the rest is N, half on either side.
"""

from __future__ import annotations

from degu.errors import DataError
from degu.variants.sources import Source
from degu.variants.variant import Variant


def windows(variant: Variant, source: Source, length: int) -> tuple[str, str]:
    """Return the letters around a variant with the reference and with the alternative allele.

    Args:
        variant: Spelled out, no longer than the window.
        source: Where the letters around it are.
        length: Letters of a window.

    Returns:
        Two strings of `length` letters A, C, G, T and N; the same ones if the alleles are the same.

    Raises:
        DataError: When the variant does not fit its sequence: a position outside, another reference allele, or a
            sequence shorter than the window.
    """
    total = source.length(variant.sequence, variant.where)
    _check_place(variant, total, length)
    _check_reference(variant, source)
    trimmed = variant.trimmed()
    start, stop = trimmed.start, trimmed.start + len(trimmed.ref)
    left = source.letters(variant.sequence, max(start - length, 0), start)
    right = source.letters(variant.sequence, stop, min(stop + length, total))
    flanks_only = total - len(trimmed.ref)
    ref, alt = (
        _window(left, allele, right, start, flanks_only + len(allele), length) for allele in (trimmed.ref, trimmed.alt)
    )
    return ref, alt


def _window(left: str, allele: str, right: str, start: int, total: int, length: int) -> str:
    """Cut a window out of a sequence of `total` letters, of which those around position `start` are given."""
    first = start - (length - len(allele)) // 2
    first = max(min(first, total - length), 0)
    offset = first - (start - len(left))
    letters = (left + allele + right)[offset : offset + length]
    missing = length - len(letters)
    return "N" * (missing // 2) + letters + "N" * (missing - missing // 2)


def _check_place(variant: Variant, total: int, length: int) -> None:
    if total < length:
        raise DataError(
            f"{variant.where}: expected a sequence of at least {length} letters, the length that the model takes, "
            f"received {total}. Leave the row out."
        )
    stop = variant.start + len(variant.ref)
    if variant.start < 0 or stop > total:
        raise DataError(
            f"{variant.where}: expected a reference allele within positions 0 to {total} (counted from 0, the end "
            f"not included), received {variant.start} to {stop}. Are positions counted as the file is read?"
        )


def _check_reference(variant: Variant, source: Source) -> None:
    found = source.letters(variant.sequence, variant.start, variant.start + len(variant.ref))
    if found != variant.ref:
        raise DataError(
            f"{variant.where}, position {variant.start} (counted from 0): expected the reference allele {found!r} that "
            f"the sequence has there, received {variant.ref!r}. Is it the same genome build, the same strand, and are "
            "positions counted as the file is read?"
        )
