from pathlib import Path

import numpy as np
import pytest
from scipy import integrate
from uncertainty_toolbox import metrics_calibration as toolbox

from degu.metrics import calibration_band, calibration_curve, central_confidence, probability_integral_transform
from degu.metrics.calibration import expected_normalized_calibration_error, miscalibration_area
from degu.metrics.counted import UndefinedMetricError

RNG = np.random.default_rng(1)
ROWS = 300
STD = RNG.lognormal(size=ROWS)
ERROR = 1.7 * STD * RNG.normal(size=ROWS) + 0.3
ONCE = np.ones(ROWS)


def test_curve_counts_levels_up_to_the_expected_one():
    levels = [0.1, 0.4, 0.4, 0.9]
    np.testing.assert_array_equal(
        calibration_curve(levels, [0.0, 0.1, 0.39, 0.4, 0.9, 1.0]), [0, 0.25, 0.25, 0.75, 1, 1]
    )


@pytest.mark.parametrize(
    ("kind", "transform"), [("interval", central_confidence), ("quantile", probability_integral_transform)]
)
def test_curves_are_those_of_uncertainty_toolbox(kind, transform):
    expected, observed = toolbox.get_proportion_lists_vectorized(np.zeros(ROWS), STD, -ERROR, prop_type=kind)
    # the toolbox has errors of the other sign
    np.testing.assert_allclose(calibration_curve(transform(ERROR, STD), expected), observed)


@pytest.mark.parametrize(
    ("kind", "transform"), [("interval", central_confidence), ("quantile", probability_integral_transform)]
)
def test_area_is_the_integral_and_that_of_the_toolbox_up_to_its_grid(kind, transform):
    levels = transform(ERROR, STD)
    area = miscalibration_area(levels)(ONCE)
    edges = np.concatenate([[0], np.sort(levels), [1]])
    parts = [
        integrate.quad(lambda p: abs(calibration_curve(levels, p) - p), low, high, limit=200)[0]
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    assert area == pytest.approx(sum(parts), abs=1e-9)
    grid = toolbox.miscalibration_area(np.zeros(ROWS), STD, -ERROR, num_bins=2000, prop_type=kind)
    assert area == pytest.approx(grid, abs=2e-3)


def test_area_of_no_and_of_endless_confidence_is_one_half():
    assert miscalibration_area(np.ones(5))(np.ones(5)) == 0.5
    assert miscalibration_area(np.zeros(5))(np.ones(5)) == 0.5


def test_area_of_evenly_spread_levels_is_that_of_the_steps():
    levels = (np.arange(10) + 0.5) / 10
    assert miscalibration_area(levels)(np.ones(10)) == pytest.approx(1 / 40)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_band_holds_the_whole_curve_of_a_calibrated_model_as_often_as_it_says(level):
    generator = np.random.default_rng(7)
    band = calibration_band(60, level)
    inside = 0
    for _ in range(4000):
        levels = np.sort(generator.random(60))
        steps = np.arange(61) / 60
        inside += max(np.abs(steps[1:] - levels).max(), np.abs(steps[:-1] - levels).max()) <= band
    assert inside / 4000 == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 4000))


def test_ence_by_hand():
    std, error = np.array([1.0, 1.0, 3.0, 4.0]), np.array([1.0, -2.0, 3.0, 0.0])
    low, high = abs(1 - np.sqrt(2.5)) / 1, abs(np.sqrt(12.5) - np.sqrt(4.5)) / np.sqrt(12.5)
    got = expected_normalized_calibration_error(error, std, num_bins=2)(np.ones(4))
    assert got == pytest.approx((low + high) / 2)


def test_ence_of_equal_bins_is_the_textbook_loop():
    order = np.argsort(STD)
    parts = []
    for rows in np.split(order, 10):
        rmv, rmse = np.sqrt(np.mean(STD[rows] ** 2)), np.sqrt(np.mean(ERROR[rows] ** 2))
        parts.append(abs(rmv - rmse) / rmv)
    assert expected_normalized_calibration_error(ERROR, STD)(ONCE) == pytest.approx(np.mean(parts))


def test_equal_standard_deviations_share_one_bin():
    error = np.array([1.0, -1.0, 3.0, 0.5])
    got = expected_normalized_calibration_error(error, np.full(4, 2.0))(np.ones(4))
    assert got == pytest.approx(abs(2 - np.sqrt(np.mean(error**2))) / 2)


def test_ence_of_a_calibrated_model_is_as_large_as_documented():
    generator, rows, bins = np.random.default_rng(3), 1000, 10
    values = []
    for _ in range(200):
        std = generator.uniform(1.0, 1.2, rows)
        values.append(
            expected_normalized_calibration_error(std * generator.normal(size=rows), std, bins)(np.ones(rows))
        )
    assert np.mean(values) == pytest.approx(np.sqrt(bins / (np.pi * rows)), rel=0.05)


def test_ence_needs_predicted_spread():
    with pytest.raises(UndefinedMetricError, match="a standard deviation is 0"):
        expected_normalized_calibration_error(np.ones(3), np.array([1.0, 0.0, 1.0]))


def test_the_oracle_may_be_compiled_when_it_is_imported():
    """Some installers leave that to the first import; what Python then warns of is not an error of the tests."""
    for path in Path(toolbox.__file__).parent.glob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
