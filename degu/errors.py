"""Errors that a user can act on.

The command line prints the message of a `DeguError` alone, without a traceback, and exits with status 2. Every
message says what was expected, what was received, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DeguError(Exception):
    """Base of every error that is the user's to mend."""


class ConfigError(DeguError):
    """A config key, value or `_target_` that cannot be used."""


class DataError(DeguError):
    """Data that do not fit their description."""


class EnsembleError(DeguError):
    """Members, weights or predictions that do not fit together."""


class TrainingError(DeguError):
    """A training that cannot go on.

    Attributes:
        has_good_weights: Whether the network has weights of an epoch that ended well.
    """

    def __init__(self, message: str, has_good_weights: bool = False) -> None:
        super().__init__(message)
        self.has_good_weights = has_good_weights


class CalibrationError(DeguError):
    """Calibration on rows that something else has used, or an evaluation on the rows of the calibration."""


class TrackingError(DeguError):
    """A tracking store or server that cannot be used."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return a hint such as ``" Did you mean 'seed'?"`` or an empty string.

    Args:
        name: What was typed.
        choices: The valid names.

    Returns:
        A sentence with a leading space, ready to be appended to a message; empty when nothing is near.
    """
    matches = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""
