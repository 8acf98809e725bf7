"""Errors that a user can act on.

The command line prints the message of a `DeguError` alone, without a traceback, and exits with status 2. Every
message says what was expected, what was received, where, and what to do about it.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator


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


class Terminated(KeyboardInterrupt):
    """A process that was asked to end by SIGTERM, as schedulers do; handled like an interrupt from the keyboard."""


_REMEDIES = {
    errno.ENOSPC: " Make room and run it again; what was finished is kept",
    errno.EDQUOT: " Make room in your quota and run it again; what was finished is kept",
    errno.EFBIG: " The file is larger than your limit (ulimit -f)",
    errno.EACCES: " Change its permissions, or name another place",
    errno.EPERM: " Change its permissions, or name another place",
    errno.EROFS: " Name a place that can be written to",
    errno.ENOTDIR: " Name a folder where there is a file now",
    errno.EMFILE: " Raise the limit of open files (ulimit -n)",
}
_CONFIGS = ("hydra", "omegaconf", "yaml", "antlr4")


def user_message(error: BaseException) -> str | None:
    """Return what a user is told of an error, or None where only a traceback helps.

    The message of a `DeguError` is told as it is. What the file system refuses, and configs that cannot be composed,
    are the user's to mend too.

    Args:
        error: Any error; those that it follows from are looked at as well.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, DeguError):
            return str(cause)
    for cause in causes:
        if isinstance(cause, OSError):
            remedy = _REMEDIES.get(cause.errno or 0, " --debug shows where")
            return f"Expected files that can be read and written. Received: {cause}.{remedy}"
        if type(cause).__module__.partition(".")[0] in _CONFIGS:
            return f"Expected a config that can be composed. Received: {' '.join(str(cause).split())}"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, each once: an error may have been raised from what it caused."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__


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
