"""Saturation mutagenesis of regulatory elements: measured effects of single variants, to hold predictions against."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from degu.data.download import fetch
from degu.data.lines import existing_file, lines_of
from degu.errors import DataError, nearest

MIRRORS = ("https://kircherlab.bihealth.org/download/CADD-development/v1.7/validation/regseq/{file}",)
ELEMENTS = (
    *("F9", "GP1BA", "HBB", "HBG1", "HNF4A", "IRF4", "IRF6", "LDLR", "MSMB", "MYCrs6983267", "PKLR", "SORT1"),
    *("TCF7L2", "TERT", "ZFAND3", "ZRSh13"),
)
_EFFECT = re.compile(r"(?:^|;)EF=([^;]+)")


class MeasuredEffect(NamedTuple):
    """A variant with its measured effect.

    Attributes:
        chrom: Chromosome, as the file names it.
        position: Position from 1.
        ref: Reference letters.
        alt: Alternative letters.
        effect: log2 fold change of activity, alternative over reference.
        is_significant: Whether the file marks it so (FILTER is `SIGN`).
    """

    chrom: str
    position: int
    ref: str
    alt: str
    effect: float
    is_significant: bool


def saturation_mutagenesis(
    element: str = "PKLR",
    cache: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    checksum: str | None = None,
    timeout: float = 30.0,
) -> Path:
    """Return the VCF file of an element's measured variants, downloaded on first use.

    `degu variants STUDY FILE --fasta GENOME` predicts their effects; `measured_effects` reads what was measured. PKLR
    was measured in K562; F9, LDLR and SORT1 in HepG2.

    Args:
        element: One of `ELEMENTS`.
        cache: Folder of the files; see `degu.data.download.cache_folder`. Files lie in its folder ``saturation``.
        mirrors: Addresses, tried in this order; ``{file}`` stands for the file's name.
        checksum: ``sha256:...`` or ``md5:...``; without one the file is trusted on first download.
        timeout: Seconds without any data after which a transfer has failed.

    Raises:
        DataError: An unknown element, or a file that cannot be had.

    References:
        Kircher et al. (2019), doi:10.1038/s41467-019-11526-w; the copies are those of CADD v1.7.
    """
    if element not in ELEMENTS:
        raise DataError(
            f"element: expected one of {', '.join(ELEMENTS)}, received {element!r}.{nearest(element, ELEMENTS)}"
        )
    return fetch(f"saturation/SatMut.all.{element}.vcf.gz", mirrors, checksum, cache, timeout=timeout)


def measured_effects(path: str | Path) -> list[MeasuredEffect]:
    """Read the variants of such a file.

    Args:
        path: A VCF file whose column INFO has a number `EF=`.

    Raises:
        DataError: A row that is none of such a file.
    """
    file = existing_file(path)
    found = []
    for number, line in enumerate(lines_of(file), start=1):
        cells = line.rstrip("\r\n").split("\t")
        if not line.strip() or line.startswith("#"):
            continue
        match = _EFFECT.search(cells[7]) if len(cells) > 7 else None
        try:
            effect = float(match[1]) if match else float("nan")
            position = int(cells[1])
        except (ValueError, IndexError):
            effect = float("nan")
        if not abs(effect) < float("inf"):
            raise DataError(
                f"{file}, line {number}: expected a variant with a number EF= in INFO, received {line[:60]!r}."
            )
        found.append(MeasuredEffect(cells[0], position, cells[3], cells[4], effect, cells[6] == "SIGN"))
    return found
