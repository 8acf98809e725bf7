"""A variant: some letters of a sequence replaced by others."""

from __future__ import annotations

from typing import NamedTuple

from degu.data.encoding import LETTERS
from degu.errors import DataError

_SYMBOLS = frozenset("<>[]*.")


class Variant(NamedTuple):
    """One replacement, as a row of a file has it.

    Attributes:
        sequence: Name of the sequence, or the letters themselves where the file spells them out.
        start: Where the replaced letters begin, counted from 0; an insertion stands before this letter.
        ref: Letters that are replaced, in upper case; empty for an insertion.
        alt: Letters that replace them, in upper case; empty for a deletion.
        where: File and line, for messages.
        cells: What identifies the row, as written in the file.
    """

    sequence: str
    start: int
    ref: str
    alt: str
    where: str = "variant"
    cells: tuple[str, ...] = ()

    @property
    def is_symbolic(self) -> bool:
        """Whether the new letters are not spelled out, as in `<DEL>`, `*` or a breakend."""
        return not _SYMBOLS.isdisjoint(self.alt)

    def trimmed(self) -> Variant:
        """Return the same replacement without the letters that both alleles share at their ends.

        The end is trimmed first, then the beginning. The place of an insertion or deletion within a repeat is otherwise
        left as the file has it.

        Example:
            >>> Variant("chr1", 5, "CTT", "CT").trimmed()[1:4]
            (6, 'T', '')
        """
        start, ref, alt = self.start, self.ref, self.alt
        while ref and alt and ref[-1] == alt[-1]:
            ref, alt = ref[:-1], alt[:-1]
        while ref and alt and ref[0] == alt[0]:
            start, ref, alt = start + 1, ref[1:], alt[1:]
        return self._replace(start=start, ref=ref, alt=alt)

    def check_letters(self) -> None:
        """Refuse alleles with other letters than A, C, G, T and N.

        Raises:
            DataError: When there are some.
        """
        for name, allele in (("reference", self.ref), ("alternative", self.alt)):
            for letter in allele:
                if letter not in LETTERS:
                    raise DataError(
                        f"{self.where}: expected the {name} allele in letters A, C, G, T and N, received {allele!r}. "
                        "Write every other letter as N, or leave the row out."
                    )
