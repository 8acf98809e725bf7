import numpy as np
import pytest
from mapie.metrics import regression as mapie

from degu.metrics import Interval, eval_gaussian, eval_intervals, gaussian_interval

RNG = np.random.default_rng(3)
TARGETS = RNG.normal(size=(90, 2))
MEAN = TARGETS + RNG.normal(size=(90, 2))
STD = RNG.uniform(0.2, 2.0, (90, 2))
LEVELS = (0.5, 0.9)
INTERVALS = {level: gaussian_interval(MEAN, STD, level) for level in LEVELS}


def test_metrics_are_those_of_mapie():
    flat = eval_intervals(INTERVALS, TARGETS, ["Dev", "Hk"])
    for level, percent in zip(LEVELS, ("50", "90"), strict=True):
        for k, name in enumerate(["Dev", "Hk"]):
            bounds = np.stack([INTERVALS[level].lower[:, k], INTERVALS[level].upper[:, k]], axis=1)[..., None]
            assert flat[f"coverage_{percent}/{name}"] == pytest.approx(
                mapie.regression_coverage_score(TARGETS[:, k], bounds)[0]
            )
            assert flat[f"width_{percent}/{name}"] == pytest.approx(mapie.regression_mean_width_score(bounds)[0])
            assert flat[f"interval_score_{percent}/{name}"] == pytest.approx(
                mapie.regression_mwi_score(TARGETS[:, k], bounds, level)
            )
        assert flat[f"width_{percent}/mean"] == pytest.approx(
            np.mean([flat[f"width_{percent}/Dev"], flat[f"width_{percent}/Hk"]])
        )


def test_intervals_of_a_normal_distribution_are_evaluated_alike():
    both = eval_gaussian(MEAN, STD, TARGETS, confidence_levels=LEVELS)
    for key, value in eval_intervals(INTERVALS, TARGETS).items():
        assert both[key] == pytest.approx(value)


def test_bounds_belong_to_the_interval_and_may_be_infinite():
    interval = Interval(np.array([[-np.inf], [1.0]]), np.array([[2.0], [np.inf]]))
    flat = eval_intervals({0.9: interval}, [2.0, 1.0], ["a"])
    assert flat["coverage_90/a"] == 1
    assert flat["width_90/a"] == np.inf


def test_unmeasured_rows_are_left_out():
    targets = TARGETS.copy()
    targets[:30, 0] = np.nan
    shorter = {level: Interval(*(bound[30:, :1] for bound in interval)) for level, interval in INTERVALS.items()}
    got = eval_intervals(INTERVALS, targets, ["a", "b"])
    for key, value in eval_intervals(shorter, TARGETS[30:, :1], ["a"]).items():
        if key.endswith("/a"):
            assert got[key] == value


def test_level_is_named_in_percent():
    interval = Interval(np.zeros((3, 1)), np.ones((3, 1)))
    assert {key.split("/")[0] for key in eval_intervals({0.29: interval, 0.995: interval}, np.zeros(3))} == {
        f"{metric}_{percent}" for metric in ("coverage", "width", "interval_score") for percent in ("29", "99.5")
    }


def test_bad_bounds_and_levels_are_refused():
    bad = Interval(np.full((3, 1), np.nan), np.ones((3, 1)))
    with pytest.raises(ValueError, match="lower bounds of '0'. Received NaN"):
        eval_intervals({0.9: bad}, np.zeros(3))
    with pytest.raises(ValueError, match=r"lower bounds and targets of one shape. Received: \(3, 1\) and \(4, 1\)"):
        eval_intervals({0.9: bad}, np.zeros(4))
    with pytest.raises(ValueError, match="Received: 90"):
        eval_intervals({90: Interval(np.zeros((3, 1)), np.ones((3, 1)))}, np.zeros(3))
