"""Keeps what native libraries print while they start away from the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Hold back what the block writes to file descriptor 2, and show it after all if the block fails.

    TensorFlow's C++ side reports on oneDNN and missing CUDA drivers before any of its settings is read; Python's own
    logging and warnings are not what this is for.
    """
    try:
        stderr = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # a stream without a descriptor: a notebook, a test
        yield
        return
    sys.stderr.flush()
    kept = os.dup(stderr)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), stderr)
        try:
            yield
        except BaseException:
            _show(held.fileno(), kept)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, stderr)
            os.close(kept)


def _show(held: int, stderr: int) -> None:
    os.lseek(held, 0, os.SEEK_SET)
    while content := os.read(held, 65536):
        os.write(stderr, content)
