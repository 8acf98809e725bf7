"""DeepSTARR: UMI-STARR-seq of the Drosophila genome, from the published files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from degu.data.cells import numbers
from degu.data.delimited import read_columns
from degu.data.download import fetch
from degu.data.encoding import tokenize
from degu.data.fasta import SEQUENCE, with_records
from degu.data.roles import PLACE
from degu.data.split import measured_split
from degu.data.splits import Splits
from degu.errors import DataError

log = logging.getLogger(__name__)

MIRRORS = (
    "https://zenodo.org/record/5502060/files/{file}?download=1",
    "https://data.starklab.org/almeida/DeepSTARR/Data/{file}",
)
TARGETS = ("Dev_log2_enrichment", "Hk_log2_enrichment")
PUBLISHED = {"train": 402_296, "valid": 40_570, "test": 41_186}
"""Rows that the authors state."""

_WORDS = {"train": "Train", "valid": "Val", "test": "Test"}


def deepstarr(
    cache: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    checksums: Mapping[str, str] | None = None,
    timeout: float = 30.0,
) -> Splits:
    """Load DeepSTARR, all three splits as published; about 190 MB are downloaded on first use.

    Both strands of a window are rows of their own. Letters N (18 train sequences) stay.

    Args:
        cache: Folder of the files; see `degu.data.download.cache_folder`. Files lie in its folder ``deepstarr``.
        mirrors: Addresses, tried in this order; ``{file}`` stands for the file's name.
        checksums: ``sha256:...`` or ``md5:...`` by file name; files without one are trusted on first download.
        timeout: Seconds without any data after which a transfer has failed.

    Returns:
        402,296 train, 40,570 valid and 41,186 test sequences of 249 letters; targets are log2 enrichments with the
        developmental and the housekeeping promoter.

    Raises:
        DataError: A file that cannot be had, or whose content does not fit.

    References:
        de Almeida, Reiter, Pagani, Stark (2022), doi:10.1038/s41588-022-01048-5; data: doi:10.5281/zenodo.5502060.
    """
    known = dict(checksums or {})
    rows = {}
    for split, word in _WORDS.items():
        fasta, values = (
            fetch(f"deepstarr/{name}", mirrors, known.pop(name, None), cache, timeout=timeout)
            for name in (f"Sequences_{word}.fa", f"Sequences_activity_{word}.txt")
        )
        rows[split] = with_records(read_columns(values, TARGETS, "\t"), fasta, id=None), fasta
        if len(rows[split][0].lines) != PUBLISHED[split]:
            log.warning("%s: %d rows, the authors state %d", fasta, len(rows[split][0].lines), PUBLISHED[split])
    if known:
        raise DataError(f"checksums: expected names of files of DeepSTARR, received {sorted(known)}.")
    parts = {
        split: measured_split(
            split,
            tokenize(table.columns[SEQUENCE], where=str(fasta), name_row=table.columns[PLACE].__getitem__),
            numbers(table, list(TARGETS)),
        )
        for split, (table, fasta) in rows.items()
    }
    return Splits(parts["train"], parts["valid"], parts["test"], TARGETS, "DeepSTARR (de Almeida et al. 2022)")
