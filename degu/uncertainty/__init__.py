"""How far members disagree, in which unit that is said, how it adds up with noise, and how it is calibrated."""

from degu.uncertainty.bands import Band, quantile_band, residual_band
from degu.uncertainty.bins import bin_index, quantile_edges
from degu.uncertainty.components import VarianceComponents
from degu.uncertainty.conformal import InfiniteIntervalWarning, SplitConformal
from degu.uncertainty.decomposition import Decomposition, decompose, pooled_std, total_std
from degu.uncertainty.isotonic import IsotonicRecalibration
from degu.uncertainty.quantiles import QuantileLines
from degu.uncertainty.rows import row_digests
from degu.uncertainty.scaling import VarianceScaling
from degu.uncertainty.spread import Spread, logvar, std, var

__all__ = [
    "Band",
    "Decomposition",
    "InfiniteIntervalWarning",
    "IsotonicRecalibration",
    "QuantileLines",
    "SplitConformal",
    "Spread",
    "VarianceComponents",
    "VarianceScaling",
    "bin_index",
    "decompose",
    "logvar",
    "pooled_std",
    "quantile_band",
    "quantile_edges",
    "residual_band",
    "row_digests",
    "std",
    "total_std",
    "var",
]
