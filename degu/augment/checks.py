"""Checks of constructor arguments."""

from __future__ import annotations

from numbers import Integral, Real

from degu.errors import ConfigError


def check_lengths(owner: str, smallest: tuple[str, int], largest: tuple[str, int]) -> None:
    """Require two whole numbers of bases, 0 <= smallest <= largest.

    Args:
        owner: Class, for the message.
        smallest: Name and value of the lower limit.
        largest: Name and value of the upper limit.

    Raises:
        ConfigError: If a limit is not a whole number or the order is broken.
    """
    for name, value in (smallest, largest):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise ConfigError(f"{owner}: expected {name} as a whole number of bases, received {value!r}")
    if not 0 <= smallest[1] <= largest[1]:
        raise ConfigError(
            f"{owner}: expected 0 <= {smallest[0]} <= {largest[0]}, "
            f"received {smallest[0]}={smallest[1]} and {largest[0]}={largest[1]}"
        )


def check_between(owner: str, name: str, value: float, low: float, high: float) -> None:
    """Require a number in [low, high].

    Raises:
        ConfigError: If `value` is not a number or lies outside; NaN lies outside.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{owner}: expected {name} in [{low:g}, {high:g}], received {value!r}")
