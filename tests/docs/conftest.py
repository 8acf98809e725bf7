import sys
from pathlib import Path

import pytest

HOOKS = Path(__file__).parents[2] / "docs" / "hooks"


@pytest.fixture(autouse=True)
def hooks(monkeypatch):
    """The modules that write the site, importable as MkDocs imports them."""
    monkeypatch.syspath_prepend(str(HOOKS))
    yield
    for name in {path.stem for path in HOOKS.glob("*.py")} & sys.modules.keys():
        del sys.modules[name]
