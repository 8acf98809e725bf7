import numpy as np
import pytest
from scipy import integrate, stats

from degu.uncertainty import Spread, decompose, pooled_std, total_std

RNG = np.random.default_rng(3)
MEANS = RNG.normal(size=(4, 5, 2))
STDS = RNG.uniform(0.1, 2.0, size=(4, 5, 2))


def test_two_members_by_hand():
    parts = decompose([[0.0], [2.0]], [[1.0], [3.0]])
    assert parts.mean == [1.0]
    assert parts.epistemic == [1.0]
    np.testing.assert_allclose(parts.aleatoric, np.sqrt(5))
    np.testing.assert_allclose(parts.total, np.sqrt(6))


def test_total_is_the_standard_deviation_of_the_mixture():
    parts = decompose(MEANS, STDS)
    for n in range(5):
        for k in range(2):
            members = [stats.norm(m, s) for m, s in zip(MEANS[:, n, k], STDS[:, n, k], strict=True)]

            def moment(power, members=members):
                density = lambda y: np.mean([member.pdf(y) for member in members]) * y**power  # noqa: E731
                return integrate.quad(density, -30, 30, limit=500, points=[member.mean() for member in members])[0]

            mean = moment(1)
            assert parts.mean[n, k] == pytest.approx(mean, abs=1e-6)
            assert parts.total[n, k] == pytest.approx(np.sqrt(moment(2) - mean**2), rel=1e-5)


def test_one_member_reduces_to_itself():
    parts = decompose(MEANS[:1], STDS[:1])
    np.testing.assert_array_equal(parts.mean, MEANS[0])
    np.testing.assert_array_equal(parts.epistemic, 0)
    np.testing.assert_allclose(parts.aleatoric, STDS[0], rtol=1e-12)
    np.testing.assert_allclose(parts.total, STDS[0], rtol=1e-12)


def test_members_that_agree_have_noise_only_and_sure_members_disagreement_only():
    agreeing = decompose(np.zeros((3, 2)), np.full((3, 2), 0.7))
    np.testing.assert_allclose(agreeing.total, 0.7)
    sure = decompose(MEANS, np.zeros_like(STDS))
    np.testing.assert_allclose(sure.total, MEANS.std(axis=0))


def test_parts_are_those_that_spread_and_total_std_give():
    parts = decompose(MEANS, STDS)
    np.testing.assert_allclose(parts.epistemic, Spread("std", ddof=0)(MEANS))
    np.testing.assert_allclose(parts.aleatoric, pooled_std(STDS))
    np.testing.assert_allclose(
        total_std(parts.epistemic, parts.aleatoric) ** 2, parts.epistemic**2 + parts.aleatoric**2
    )


def test_members_may_lie_on_another_axis():
    turned = decompose(np.moveaxis(MEANS, 0, 2), np.moveaxis(STDS, 0, 2), axis=2)
    for mine, theirs in zip(turned, decompose(MEANS, STDS), strict=True):
        np.testing.assert_allclose(mine, theirs)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"one shape. Received: \(4, 5, 2\) and \(4, 5\)"):
        decompose(MEANS, STDS[..., 0])


def test_the_same_formula_runs_inside_a_training_step():
    from keras import ops

    np.testing.assert_allclose(np.asarray(pooled_std(STDS.astype("float32"), xp=ops)), pooled_std(STDS), rtol=1e-5)


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_units_are_converted_inside_a_training_step(unit):
    from keras import ops

    spread = Spread(unit, floor=1e-3)
    values = np.array([[-3.0, 0.0, 0.5]], "float32")
    np.testing.assert_allclose(np.asarray(spread.to_std(ops.array(values), ops)), spread.to_std(values), rtol=1e-6)
