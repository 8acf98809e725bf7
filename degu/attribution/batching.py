"""Long work in stretches, with progress."""

from __future__ import annotations

from collections.abc import Iterator

from degu.progress import Progress

_SHORT = 20
"""Batches that are worked through without a word."""


def stretches(total: int, size: int, name: str) -> Iterator[slice]:
    """Yield slices of at most `size` items that cover `total`, showing progress where there are many.

    Args:
        total: Number of items.
        size: Items a slice.
        name: What is being done.

    Raises:
        ValueError: When `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"Expected batch_size >= 1. Received: batch_size={size}")
    starts = range(0, total, size)
    if len(starts) <= _SHORT:
        yield from (slice(start, min(start + size, total)) for start in starts)
        return
    with Progress(name, total, "sequence") as progress:
        for count, start in enumerate(starts):
            stop = min(start + size, total)
            yield slice(start, stop)
            # a file is told every tenth only
            if progress.is_terminal or (count + 1) * 10 // len(starts) > count * 10 // len(starts):
                progress.reach(stop)
