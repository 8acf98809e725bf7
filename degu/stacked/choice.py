"""Whether members side by side are quicker than one after the other."""

from __future__ import annotations


def is_worth_it() -> bool:
    """Whether a stack is quicker on the device in use."""
    return True
