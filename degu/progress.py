"""Progress of long work on stderr: a bar on a terminal, plain lines in a file."""

from __future__ import annotations

import logging
import sys

from tqdm import tqdm

log = logging.getLogger(__name__)


class Progress:
    """Counts steps of one piece of work; use it as a context manager.

    Args:
        name: What is being done, for example `"member 2/5"`.
        total: Number of steps.
        unit: What a step is called.
    """

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.is_terminal = sys.stderr.isatty()
        self.bar = tqdm(total=total, desc=name, unit=unit, leave=False, disable=not self.is_terminal)
        self.total = total

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.bar.close()

    def reach(self, done: int, note: str = "") -> None:
        """Show that so many steps are done, with a short note such as the current loss."""
        if self.is_terminal:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(done - self.bar.n)
        else:
            log.info("%s: %s %d/%d %s", self.name, self.unit, done, self.total, note)
