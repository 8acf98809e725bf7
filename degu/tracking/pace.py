"""When measurements are sent: soon enough to be watched, seldom enough not to be noticed."""

from __future__ import annotations

import time

SHORTEST_WAIT = 10.0
"""Seconds; measurements of epochs that are shorter are sent together."""

LONGEST_WAIT = 60.0
"""Seconds after which measurements are sent whatever it costs."""

LARGEST_SHARE = 0.002
"""Of the time of a process that is spent on sending; a slow store, or many runs at once, are sent to less often."""


class Pace:
    """The time that the runs of a process have spent on sending measurements."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._spent = 0.0

    def is_due(self, last: float) -> bool:
        """Whether a run that sent its measurements last at some time, by the monotonic clock, sends again."""
        now = time.monotonic()
        wait = now - last
        is_cheap = self._spent <= LARGEST_SHARE * (now - self._start)
        return wait >= (SHORTEST_WAIT if is_cheap else LONGEST_WAIT)

    def add(self, seconds: float) -> None:
        """Count the time of a sending."""
        self._spent += seconds
