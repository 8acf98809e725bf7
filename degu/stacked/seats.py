"""Which members of a stack are computed."""

from __future__ import annotations

from collections.abc import Sequence


class Seats:
    """Seats of members in a compiled stack.

    A stack of another size has to be compiled anew. So a member that has finished keeps its seat, and its results are
    thrown away, until what it has cost reaches the cost of a compilation. Whatever the future, that is at most twice
    the cost of the best decision.

    Args:
        members: Those seated at the start.
    """

    def __init__(self, members: Sequence[int]) -> None:
        self.taken = tuple(members)
        self._compilation = 0.0
        self._wasted = 0.0

    def arrange(self, live: Sequence[int]) -> tuple[int, ...]:
        """Return the members that are to be computed, among them all live ones."""
        if not set(live) <= set(self.taken) or (len(live) < len(self.taken) and self._wasted >= self._compilation):
            self.taken = tuple(live)
            self._wasted = 0.0
        return self.taken

    def compiled(self, seconds: float) -> None:
        """Note what the last compilation has cost."""
        self._compilation = seconds

    def worked(self, live: Sequence[int], seconds: float) -> None:
        """Note what an epoch of all seats has cost."""
        self._wasted += seconds * (1 - len(live) / len(self.taken))
