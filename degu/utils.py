"""Short names for the spread functions: `utils.logvar`, `utils.std`, `utils.var`."""

from degu.uncertainty.spread import logvar, std, var

__all__ = ["logvar", "std", "var"]
