"""How far members disagree, and in which unit that is said."""

from degu.uncertainty.spread import Spread, logvar, std, var

__all__ = ["Spread", "logvar", "std", "var"]
