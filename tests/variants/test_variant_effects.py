import numpy as np
import pytest

from degu.data.encoding import reverse_complement
from degu.ensemble.prediction import Prediction
from degu.uncertainty import logvar, std
from degu.variants import both_strands, paired_effects, range_limit


def of_members(members, **columns):
    members = np.asarray(members, dtype=float)
    return Prediction(members.mean(axis=0), members=members, **columns)


@pytest.fixture
def paired():
    """Members that disagree on activities by 1 and on the effect, 0.5, by 0.1."""
    generator = np.random.default_rng(0)
    ref = generator.normal(size=(5, 400, 2))
    return of_members(ref), of_members(ref + 0.5 + 0.1 * generator.normal(size=ref.shape))


def test_uncertainty_is_that_of_the_difference(paired):
    ref, alt = paired
    effects = paired_effects(ref, alt)
    np.testing.assert_allclose(effects.effect, alt.mean - ref.mean)
    np.testing.assert_allclose(effects.std, (alt.members - ref.members).std(axis=0, ddof=1))
    independent = np.hypot(ref.members.std(axis=0, ddof=1), alt.members.std(axis=0, ddof=1))
    assert np.median(effects.std / independent) < 0.1
    assert (effects.noise_std, effects.total_std, effects.out_of_range) == (None, None, None)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_interval_covers_one_further_member(level, count):
    generator = np.random.default_rng(count)
    differences = 0.3 + generator.normal(size=(count + 1, 20_000, 1))
    effects = paired_effects(
        of_members(np.zeros((count, 20_000, 1))), of_members(differences[:count]), confidence_level=level
    )
    covered = np.mean((effects.lower <= differences[count]) & (differences[count] <= effects.upper))
    assert abs(covered - level) < 4 * np.sqrt(level * (1 - level) / 20_000)


def test_a_measured_difference_has_noise_of_both_alleles(paired):
    ref, alt = paired
    ref, alt = ref._replace(aleatoric=np.full((400, 2), 0.3)), alt._replace(aleatoric=np.full((400, 2), 0.4))
    effects = paired_effects(ref, alt)
    np.testing.assert_allclose(effects.noise_std, 0.5)
    np.testing.assert_allclose(effects.total_std, np.sqrt(0.25 + effects.std**2))


def test_one_member_knows_no_uncertainty():
    effects = paired_effects(of_members([[[1.0]]]), of_members([[[3.0]]]))
    assert effects.effect == 2.0
    assert np.isnan([effects.std, effects.lower, effects.upper]).all()


def test_a_student_has_a_bound_or_nothing():
    ref = Prediction(np.array([[1.0]]), epistemic=np.array([[np.log(0.09)]]))
    alt = Prediction(np.array([[1.5]]), epistemic=np.array([[np.log(0.16)]]))
    unknown = paired_effects(ref, alt)
    assert unknown.effect == 0.5
    assert np.isnan([unknown.std, unknown.lower, unknown.upper]).all()
    bounded = paired_effects(ref, alt, bound=logvar)
    assert bounded.std == pytest.approx(0.7)
    assert bounded.upper - bounded.effect == pytest.approx(1.959964 * 0.7)


def test_the_bound_holds_whatever_the_correlation():
    generator = np.random.default_rng(1)
    for correlation in (-1.0, -0.5, 0.0, 0.9):
        one, other = generator.normal(size=(2, 6, 50, 1))
        ref, alt = one, correlation * one + np.sqrt(1 - correlation**2) * other
        exact = paired_effects(of_members(ref), of_members(alt)).std
        columns = (Prediction(part.mean(axis=0), std(part)) for part in (ref, alt))
        assert (exact <= paired_effects(*columns, bound=std).std + 1e-9).all()


def test_flag_of_sequences_out_of_range():
    limit = range_limit(np.stack([np.arange(101.0), np.arange(101.0) / 10], axis=1), quantile=0.9)
    np.testing.assert_allclose(limit, [90.0, 9.0])
    ref = Prediction(np.zeros((3, 2)), np.array([[80.0, 9.5], [95.0, 1.0], [1.0, 1.0]]))
    alt = Prediction(np.zeros((3, 2)), np.array([[80.0, 1.0], [80.0, 1.0], [1.0, 9.1]]))
    flags = paired_effects(ref, alt, limit=limit).out_of_range
    assert flags.tolist() == [[False, True], [True, False], [False, True]]


def test_both_strands_are_averaged_member_by_member(additive):
    tokens = np.random.default_rng(0).integers(0, 5, (6, 11), dtype=np.uint8)
    forward, reverse = additive(tokens), additive(reverse_complement(tokens))
    merged = both_strands(additive)(tokens)
    np.testing.assert_allclose(merged.members, (forward.members + reverse.members) / 2)
    np.testing.assert_allclose(merged.mean, merged.members.mean(axis=0))
    np.testing.assert_allclose(merged.epistemic, np.maximum(forward.epistemic, reverse.epistemic))
    assert merged.aleatoric is None
    np.testing.assert_allclose(both_strands(additive)(reverse_complement(tokens)).mean, merged.mean)


def test_both_strands_of_a_student_with_noise():
    def predict(tokens):
        values = tokens[:, :1].astype(float)
        return Prediction(values, values, values + 1)

    merged = both_strands(predict)(np.array([[0, 1, 2]], dtype=np.uint8))
    assert (merged.mean, merged.epistemic, merged.members) == (0.5, 1.0, None)
    assert merged.aleatoric == pytest.approx(np.sqrt((1 + 4) / 2))


def test_mistakes_are_named(paired):
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="confidence_level between 0 and 1"):
            paired_effects(*paired, confidence_level=level)
    with pytest.raises(ValueError, match="Expected a model with an epistemic column"):
        paired_effects(*paired, limit=[1.0, 1.0])
    with pytest.raises(ValueError, match="Expected quantile above 0"):
        range_limit([[1.0]], 0.0)
