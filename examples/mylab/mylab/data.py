"""Data sets: functions that return `degu.data.Splits`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from degu.data import Split, Splits, tokenize
from degu.data.delimited import read_columns
from degu.errors import DataError

PARTS = {"train": 0.8, "valid": 0.1, "test": 0.1}


def barcode_counts(path: str | Path, min_dna: int = 10, seed: int = 0) -> Splits:
    """Read the counts of an assay with barcodes: the activity of a sequence is log2 of its RNA over its DNA counts.

    Args:
        path: A table with the columns `sequence`, `dna` and `rna`; one row a sequence, counts summed over barcodes.
        min_dna: DNA counts below which a sequence is left out.
        seed: Decides the splits; rows are dealt out at random, 80 : 10 : 10.

    Returns:
        The data set, with the target `log2_rna_per_dna`.

    Raises:
        DataError: When a count is no number, or too few sequences are left.
    """
    table = read_columns(path, ["sequence", "dna", "rna"])
    try:
        dna, rna = (np.array(table.columns[name], dtype=np.float64) for name in ("dna", "rna"))
    except ValueError as error:
        raise DataError(f"{path}: expected counts in the columns dna and rna, received: {error}.") from error
    kept = np.flatnonzero(dna >= min_dna)
    if len(kept) < 10:
        raise DataError(f"{path}: expected at least 10 sequences with {min_dna} DNA counts, received {len(kept)}.")
    tokens = tokenize([table.columns["sequence"][row] for row in kept], where=str(path))
    activity = np.log2((rna[kept] + 1) / (dna[kept] + 1))[:, None]
    ids = np.array([f"row{table.lines[row]}" for row in kept])
    order = np.random.default_rng(seed).permutation(len(kept))
    bounds = np.cumsum([round(share * len(kept)) for share in list(PARTS.values())[:-1]])
    parts = {
        name: Split(tokens[rows], activity[rows], ids[rows])
        for name, rows in zip(PARTS, np.split(order, bounds), strict=True)
    }
    return Splits(**parts, target_names=("log2_rna_per_dna",), source=str(path))
