"""The data set that comes with the package: variants of the E. coli lac promoter."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from degu.data.splits import Splits
from degu.data.table import read_table

_FILE = "lac_promoter.tsv.gz"
_MOTIFS = ("TGTGANNNNNNTCACT", "TTTACA", "TATGTT")
"""What CRP binds and the -35 and -10 boxes of RNA polymerase, as in the wild type (Kinney et al. 2010, figure 1)."""


def lac_promoter() -> Splits:
    """Load about 50,000 variants of the lac promoter measured by Sort-Seq.

    Cells were sorted by fluorescence into ten bins (0 lowest, 9 highest) and the 75-bp variants sequenced in
    each. The target `mean_bin` is the mean bin of a variant's reads. Nearly every variant has one read, so
    most of its variance is measurement noise and no model reaches a high correlation.

    Returns:
        30,516 train, 10,067 valid and 9,935 test sequences of 75 letters with one target, in bins.

    References:
        Kinney, Murugan, Callan, Cox (2010). PNAS 107:9158-9163. doi:10.1073/pnas.1004290107.
        Tareen et al. (2022). MAVE-NN. Genome Biology 23:98 (the source of this copy and of its split).
    """
    with resources.as_file(resources.files("degu.data") / "files" / _FILE) as path:
        splits = read_table(path, targets=["mean_bin"], motifs=_MOTIFS)
    return replace(splits, source="lac_promoter (Kinney et al. 2010, from MAVE-NN 1.1.4)")
