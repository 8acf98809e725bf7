import numpy as np
import pytest
from scipy import optimize

from degu.uncertainty import QuantileLines

RNG = np.random.default_rng(9)
MEAN = RNG.normal(size=(150, 2))
STD = RNG.uniform(0.5, 2.0, (150, 2))
TARGETS = 2 * MEAN + 1 + STD * RNG.normal(size=(150, 2))


def pinball(residual, probability):
    return np.maximum(probability * residual, (probability - 1) * residual).mean()


def test_lines_have_the_smallest_pinball_loss():
    lines = QuantileLines.fit(MEAN, STD, TARGETS, 0.8)
    for index, probability in enumerate((0.1, 0.9)):
        for k in range(2):
            design = np.column_stack([np.ones(150), MEAN[:, k], STD[:, k]])

            def loss(theta, design=design, k=k, probability=probability):
                return pinball(TARGETS[:, k] - design @ theta, probability)

            mine = loss(lines.coefficients[index, k])
            start = lines.coefficients[index, k] + 0.3
            theirs = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
            assert mine <= theirs.fun + 1e-9


def test_band_holds_the_level_on_its_own_rows_and_lies_on_the_lines():
    lines = QuantileLines.fit(MEAN, STD, TARGETS, 0.8)
    band = lines.predict(MEAN, STD)
    inside = ((band.lower <= TARGETS) & (band.upper >= TARGETS)).mean(axis=0)
    assert inside == pytest.approx([0.8, 0.8], abs=0.05)
    intercept, slope, scale = lines.coefficients[1, 0]
    np.testing.assert_allclose(band.upper[:, 0], intercept + slope * MEAN[:, 0] + scale * STD[:, 0])
    assert slope == pytest.approx(2, abs=0.5)


def test_unmeasured_rows_and_units():
    targets = TARGETS.copy()
    targets[:50, 1] = np.nan
    part = QuantileLines.fit(MEAN, STD, targets, 0.9).coefficients
    np.testing.assert_allclose(
        part[:, 1:], QuantileLines.fit(*(a[50:, 1:] for a in (MEAN, STD, TARGETS)), 0.9).coefficients
    )
    big = QuantileLines.fit(1e4 * MEAN, 1e4 * STD, 1e4 * TARGETS, 0.9).predict(1e4 * MEAN, 1e4 * STD)
    small = QuantileLines.fit(MEAN, STD, TARGETS, 0.9).predict(MEAN, STD)
    np.testing.assert_allclose(big.upper, 1e4 * small.upper, rtol=1e-6, atol=1e-2)
    with pytest.raises(ValueError, match="above 0 and below 1"):
        QuantileLines.fit(MEAN, STD, TARGETS, 90)
