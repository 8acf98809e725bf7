"""How far members disagree, in which unit that is said, and how it adds up with measurement noise."""

from degu.uncertainty.decomposition import Decomposition, decompose, pooled_std, total_std
from degu.uncertainty.spread import Spread, logvar, std, var

__all__ = ["Decomposition", "Spread", "decompose", "logvar", "pooled_std", "std", "total_std", "var"]
