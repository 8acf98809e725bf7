"""What Optuna draws from, for each form of a swept override."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from degu.errors import ConfigError
from degu.sweeps.search import distribution


def of(text):
    return distribution(OverridesParser.create().parse_override(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=x,y", CategoricalDistribution(["x", "y"])),
        ("a=choice([4],[8,8])", CategoricalDistribution(["[4]", "[8,8]"])),
        ("a=interval(0,0.5)", FloatDistribution(0, 0.5)),
        ("a=tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("a=range(3,9,2)", IntDistribution(3, 7, step=2)),
        ("a=range(9,3,-2)", IntDistribution(5, 9, step=2)),
        ("a=range(0.0,0.75,0.25)", FloatDistribution(0.0, 0.5, step=0.25)),
    ],
)
def test_spaces(text, expected):
    found = of(text)
    if isinstance(expected, FloatDistribution):
        assert (found.low, found.high, found.log, found.step) == pytest.approx(
            (expected.low, expected.high, expected.log, expected.step), abs=1e-9
        )
    else:
        assert found == expected


@pytest.mark.parametrize("text", ["a=interval(2,1)", "a=tag(log,interval(0,1))", "a=range(3,3)"])
def test_what_cannot_be_searched_is_refused(text):
    with pytest.raises(ConfigError, match="Expected"):
        of(text)
