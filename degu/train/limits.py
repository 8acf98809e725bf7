"""The ranges of what recipes are told, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from degu.errors import ConfigError


class Range(NamedTuple):
    """What an argument of a recipe may be.

    Attributes:
        words: The range in words.
        low: Smallest value.
        is_whole: Whether it counts something.
        is_open: Whether the smallest value itself is excluded.
        high: Largest value, or None.
    """

    words: str
    low: float
    is_whole: bool = False
    is_open: bool = False
    high: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range; NaN does not, and neither does text or a truth value."""
        if isinstance(value, bool) or not isinstance(value, Integral if self.is_whole else Real):
            return False
        number = float(value)
        return (number > self.low if self.is_open else number >= self.low) and (
            number <= self.high if self.high is not None else number < float("inf")
        )


_COUNT = Range("a whole number of at least 1", 1, is_whole=True)
_PATIENCE = Range("a whole number of at least 0", 0, is_whole=True)
_RATE = Range("a number above 0", 0, is_open=True)
_SHARE = Range("a number above 0 and at most 1", 0, is_open=True, high=1)
_NOT_NEGATIVE = Range("a number of at least 0", 0)
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("max_epochs", "batch_size", "steps_per_execution", "max_augs_per_seq", "finetune_epochs"), _COUNT),
    **dict.fromkeys(("es_patience", "lr_patience", "finetune_es_patience", "finetune_lr_patience"), _PATIENCE),
    **dict.fromkeys(("initial_lr", "max_lr", "finetune_lr"), _RATE),
    **dict.fromkeys(("lr_decay", "warmup"), _SHARE),
    **dict.fromkeys(("min_lr", "weight_decay"), _NOT_NEGATIVE),
}
"""By argument of the recipes of `degu.train`."""


def check_recipe(arguments: Mapping[str, Any], prefix: str = "") -> None:
    """Check the arguments of a recipe of `degu.train`.

    Args:
        arguments: By name; those without a range are passed over.
        prefix: What stands before the names in messages, such as `"trainer."`.

    Raises:
        ConfigError: When a value lies outside of its range.
    """
    for name, value in arguments.items():
        if name in RANGES and not RANGES[name].holds(value):
            raise ConfigError(f"Expected {prefix}{name} to be {RANGES[name].words}. Received: {value!r}")
