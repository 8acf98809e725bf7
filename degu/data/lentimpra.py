"""lentiMPRA of single cell types: regulatory elements in HepG2, K562 or WTC11, from the published files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from degu.data.archives import member_of
from degu.data.download import fetch
from degu.data.hdf5 import read_hdf5
from degu.data.splits import Splits
from degu.data.table import read_table
from degu.errors import DataError, nearest

REPLICATE_MIRRORS = ("https://zenodo.org/record/14145285/files/data.tar.gz?download=1",)
FOLD_MIRRORS = ("https://zenodo.org/records/10633252/files/human_mpra_data.tar.gz?download=1",)

CellType = Literal["HepG2", "K562"]
FoldCellType = Literal["HepG2", "K562", "WTC11"]


def lentimpra(
    cell_type: CellType = "K562",
    with_std: bool = True,
    cache: str | Path | None = None,
    mirrors: Sequence[str] = REPLICATE_MIRRORS,
    checksum: str | None = None,
    timeout: float = 30.0,
) -> Splits:
    """Load a lentiMPRA data set with its standard deviation over replicates and its split, as published with DEGU.

    About 1.8 GB are downloaded on first use: one archive for both cell types. The split is random, 80/10/10, with the
    two orientations of an element together; it is not by chromosome or homology.

    Args:
        cell_type: ``"HepG2"`` or ``"K562"``.
        with_std: Whether to keep the standard deviation over the three replicates.
        cache: Folder of the files; see `degu.data.download.cache_folder`. Files lie in its folder ``lentimpra``.
        mirrors: Addresses of the archive, tried in this order.
        checksum: ``sha256:...`` or ``md5:...`` of the archive; without one it is trusted on first download.
        timeout: Seconds without any data after which a transfer has failed.

    Returns:
        K562: 180,564 train, 22,570 valid, 22,571 test sequences of 230 letters; HepG2: 111,518 / 13,942 / 13,939. The
        target is log2(RNA/DNA), mean of replicates.

    Raises:
        DataError: A file that cannot be had, or whose content does not fit.

    References:
        Agarwal, Inoue, Schubach et al. (2025), doi:10.1038/s41586-024-08430-9; data and split: Zhou et al. (2026),
        doi:10.1038/s44387-025-00053-3 and doi:10.5281/zenodo.14145284.
    """
    _check(cell_type, get_args(CellType))
    archive = fetch("lentimpra/data.tar.gz", mirrors, checksum, cache, timeout=timeout)
    file = member_of(archive, f"lentiMPRA_{cell_type}_activity_and_aleatoric_data.h5")
    return read_hdf5(
        file,
        targets=[f"{cell_type}_log2FC"],
        x="{split}/X",
        y="{split}/y",
        splits={"train": "Train", "valid": "Val", "test": "Test"},
        columns=[0],
        std_columns=[1] if with_std else None,
    )


def lentimpra_folds(
    cell_type: FoldCellType = "K562",
    folds: Mapping[str, Sequence[int]] | None = None,
    cache: str | Path | None = None,
    mirrors: Sequence[str] = FOLD_MIRRORS,
    checksum: str | None = None,
    timeout: float = 30.0,
) -> Splits:
    """Load a lentiMPRA data set, means of replicates only, with the ten folds published with the DREAM challenge.

    About 29 MB are downloaded on first use: one archive for all cell types.

    Args:
        cell_type: ``"HepG2"``, ``"K562"`` or ``"WTC11"``.
        folds: Folds 0 to 9 of train, valid and test; by default 0 to 7, 8 and 9.
        cache: Folder of the files; see `degu.data.download.cache_folder`. Files lie in its folder ``lentimpra``.
        mirrors: Addresses of the archive, tried in this order.
        checksum: ``sha256:...`` or ``md5:...`` of the archive; without one it is trusted on first download.
        timeout: Seconds without any data after which a transfer has failed.

    Returns:
        The data set; the target is log2(RNA/DNA), mean of replicates.

    Raises:
        DataError: A file that cannot be had, or whose content does not fit.

    References:
        Agarwal, Inoue, Schubach et al. (2025), doi:10.1038/s41586-024-08430-9; data: doi:10.5281/zenodo.10633252.
    """
    _check(cell_type, get_args(FoldCellType))
    archive = fetch("lentimpra/human_mpra_data.tar.gz", mirrors, checksum, cache, timeout=timeout)
    return read_table(
        member_of(archive, f"{cell_type}_clean.tsv"),
        targets=["mean_value"],
        sequence="seq",
        split="fold",
        splits=dict(folds or {"train": list(range(8)), "valid": [8], "test": [9]}),
        id="seq_id",
    )


def _check(cell_type: str, choices: Sequence[str]) -> None:
    if cell_type not in choices:
        raise DataError(
            f"cell_type: expected {' or '.join(choices)}, received {cell_type!r}.{nearest(cell_type, choices)}"
        )
