import json

import numpy as np
import pytest
from scipy import optimize, stats

from degu.errors import CalibrationError
from degu.metrics import calibration_band, calibration_curve, central_confidence, eval_gaussian
from degu.uncertainty import VarianceComponents, VarianceScaling, row_digests, total_std

RNG = np.random.default_rng(6)
MEAN = RNG.normal(size=(400, 2))
STD = RNG.uniform(0.2, 1.5, (400, 2))
TARGETS = MEAN + STD * [2.0, 0.3] * RNG.normal(size=(400, 2))
ROWS = row_digests(MEAN)
NEW = row_digests(MEAN + 100)


def nll(std, column, targets=TARGETS):
    return -stats.norm.logpdf(targets[:, column], MEAN[:, column], std[:, column]).mean()


def scaling(**changes):
    arguments = {"mean": MEAN, "std": STD, "targets": TARGETS, "rows": ROWS, "used": {}}
    return VarianceScaling.fit(**(arguments | changes))


def components(parts, targets=TARGETS, **changes):
    return VarianceComponents.fit(MEAN, parts, targets, **({"rows": ROWS, "used": {}} | changes))


def test_factor_is_where_the_likelihood_is_largest():
    for k, factor in enumerate(scaling().factors):
        best = optimize.minimize_scalar(lambda f, k=k: nll(f * STD, k), bounds=(0.01, 10), method="bounded").x
        assert factor == pytest.approx(best, rel=1e-4)
    np.testing.assert_allclose(scaling().factors, [2.0, 0.3], rtol=0.1)


def test_calibration_curve_is_within_its_band_after_scaling_and_was_not_before():
    generator, grid = np.random.default_rng(0), np.linspace(0, 1, 201)
    std = generator.uniform(0.2, 1.5, (3000, 2))
    error = std * [2.0, 0.3] * generator.normal(size=(3000, 2))
    after = scaling().transform(std, rows=row_digests(std))
    for k in range(2):
        stray = [
            np.abs(calibration_curve(central_confidence(error[:, k], stds[:, k]), grid) - grid).max()
            for stds in (std, after)
        ]
        # the standard error of a factor of 400 rows is 1 / sqrt(800); it moves the curve by at most half of that
        assert stray[1] < calibration_band(3000, 0.999) + 1.5 / np.sqrt(800)
        assert stray[0] > 0.2


def test_scaling_multiplies_and_ignores_unmeasured_rows():
    targets = TARGETS.copy()
    targets[:100, 1] = np.nan
    fitted = scaling(targets=targets)
    np.testing.assert_allclose(fitted.transform(STD, rows=NEW), STD * fitted.factors)
    kept = [array[100:] for array in (MEAN, STD, TARGETS, ROWS)]
    assert fitted.factors[1] == VarianceScaling.fit(*kept[:3], rows=kept[3], used={}).factors[1]
    assert fitted.factors[0] == scaling().factors[0]


def test_units_change_nothing():
    scaled = scaling(mean=7 * MEAN + 1, std=7 * STD, targets=7 * TARGETS + 1)
    np.testing.assert_allclose(scaled.factors, scaling().factors)


def test_parts_of_known_weight_are_found():
    size = 20_000
    epistemic, aleatoric = RNG.uniform(0.1, 1, (2, size, 1))
    true = np.sqrt(4 * epistemic**2 + 0.5 * aleatoric**2 + 0.2)
    targets = true * RNG.normal(size=(size, 1))
    parts = {"epistemic": epistemic, "aleatoric": aleatoric}
    fitted = VarianceComponents.fit(np.zeros((size, 1)), parts, targets, rows=row_digests(targets), used={})
    assert fitted.weights["epistemic"] == pytest.approx(4, rel=0.1)
    assert fitted.weights["aleatoric"] == pytest.approx(0.5, abs=0.15)
    assert fitted.weights["constant"] == pytest.approx(0.2, abs=0.05)
    np.testing.assert_allclose(fitted.transform(parts, rows=None), true, rtol=0.05)


def test_fit_is_never_worse_than_a_factor_or_a_constant():
    other = RNG.uniform(0.2, 1.5, (400, 2))
    fitted = components({"epistemic": other, "aleatoric": STD}).transform(
        {"aleatoric": STD, "epistemic": other}, rows=NEW
    )
    constant = np.sqrt(np.mean((TARGETS - MEAN) ** 2, axis=0)) * np.ones_like(STD)
    for k in range(2):
        bounds = [nll(std, k) for std in (scaling().factors * STD, constant, total_std(other, STD))]
        assert nll(fitted, k) <= min(bounds) + 1e-9


def test_gradient_vanishes_or_pushes_against_zero():
    weights = components({"epistemic": STD}).weights
    for k in range(2):
        design = np.stack([STD[:, k] ** 2, np.ones(400)], axis=1)
        theta = np.array([weights["epistemic"][k], weights["constant"][k]])
        v, squared = design @ theta, (TARGETS[:, k] - MEAN[:, k]) ** 2
        slope = (design * (1 / v - squared / v**2)[:, None]).mean(axis=0)
        relative = slope * np.array([(STD[:, k] ** 2).mean(), 1]) / (1 / v).mean()
        assert np.all((np.abs(relative) < 1e-3) | ((theta < 1e-6) & (relative > 0)))


def test_constant_noise_is_not_spread_in_proportion():
    targets = MEAN + RNG.normal(size=(400, 2))
    fitted = components({"epistemic": 0.1 * STD}, targets).transform({"epistemic": 0.1 * STD}, rows=NEW)
    scaled = scaling(std=0.1 * STD, targets=targets).transform(0.1 * STD, rows=NEW)
    flat, worse = (eval_gaussian(MEAN, std, targets) for std in (fitted, scaled))
    assert flat["nll/mean"] < worse["nll/mean"]
    assert flat["ence/mean"] < 0.5 * worse["ence/mean"]


@pytest.mark.parametrize(
    "fitted", [scaling(), components({"epistemic": STD, "aleatoric": STD**2})], ids=["scaling", "components"]
)
def test_json_round_trip(fitted):
    saved = json.loads(json.dumps(fitted.to_dict()))
    again = type(fitted).from_dict(saved)
    assert again.to_dict() == fitted.to_dict()
    argument = STD if isinstance(fitted, VarianceScaling) else {"aleatoric": STD**2, "epistemic": STD}
    np.testing.assert_array_equal(again.transform(argument, rows=NEW), fitted.transform(argument, rows=NEW))
    with pytest.raises(CalibrationError, match="not calibrated on"):
        again.transform(argument, rows=ROWS)
    with pytest.raises(ValueError, match=r"with the keys .*Received: \['other'\]"):
        type(fitted).from_dict({"other": 1})


def test_used_rows_are_refused():
    with pytest.raises(CalibrationError, match="3 of 400 rows are rows of 'valid' too"):
        scaling(used={"train": NEW, "valid": ROWS[:3]})
    with pytest.raises(CalibrationError, match="rows of 'scaling' too"):
        components({"epistemic": STD}, used={"scaling": scaling().rows.digests})


@pytest.mark.parametrize("targets", [MEAN, np.full_like(MEAN, np.nan)], ids=["no error", "not measured"])
def test_nothing_to_learn_from_is_refused(targets):
    for fit in (lambda: scaling(targets=targets, names=["a", "b"]), lambda: components({"x": STD}, targets)):
        with pytest.raises(CalibrationError, match=r"rows of '(a|0)' with an error"):
            fit()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scaling(std=0 * STD), "above 0 of '0'. Received: 0"),
        (lambda: components({"epistemic": -STD}), "above 0 of '0'. Received: -1"),
        (lambda: components({"constant": STD}), "other than 'constant'"),
        (lambda: scaling().transform(STD[:, :1], rows=None), r"\(N, 2\). Received: \(400, 1\)"),
        (lambda: components({"a": STD}).transform({"b": STD}, rows=None), r"parts \['a'\]. Received: \['b'\]"),
        (lambda: components({"a": STD}).transform({"a": STD[0]}, rows=None), r"parts \(N, 2\)"),
        (lambda: scaling(std=STD[1:]), "standard deviations and targets of one shape"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
