"""Every example in a docstring of the package runs and shows what it says."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import degu

MODULES = [module.name for module in pkgutil.walk_packages(degu.__path__, "degu.")]
SOURCES = {name: Path(importlib.util.find_spec(name).origin).read_text(encoding="utf-8") for name in MODULES}
WITH_EXAMPLES = [name for name, source in SOURCES.items() if ">>>" in source]


def test_some_modules_have_examples():
    assert {"degu.uncertainty.spread", "degu.metrics.regression"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), extraglobs={"np": np})
    assert result.attempted
    assert not result.failed
