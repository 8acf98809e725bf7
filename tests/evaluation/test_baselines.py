"""Single networks beside an ensemble: what they say of their uncertainty, and what is refused before training."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from degu import EnsemblerBase, utils
from degu.config import config_dir
from degu.ensemble.outputs import split_columns
from degu.errors import ConfigError
from degu.evaluation import MCDropout, SingleNetwork
from degu.models import small_cnn
from degu.models.heads import LINEAR, Evidential, Gaussian
from degu.pipeline import run
from degu.tracking import NullTracker
from degu.train.batches import predict as predict_outputs

TOKENS = np.random.default_rng(0).integers(0, 4, (30, 40)).astype(np.uint8)
DROPOUT = "{_target_: degu.evaluation.MCDropout, num_samples: 3}"
SINGLE = "{_target_: degu.evaluation.SingleNetwork}"
TINY = [
    *("data=synthetic", "data.num_train=64", "data.num_valid=40", "data.num_test=60", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "trainer.max_epochs=1"),
    *("distill.trainer.max_epochs=1", "evaluation.shift=null", "evaluation.attribution=null", "seed=0"),
    *("evaluation.uncertainty.num_resamples=2", "evaluation.calibration.methods=[conformal_absolute]"),
]


def composed(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=[*TINY, *overrides])


@pytest.fixture
def ensemble(shift, tmp_path):
    """Return a function that makes an ensemble of two untrained networks with a head and a dropout rate."""

    def make(head=LINEAR, dropout=0.5, uncertainty_fun=utils.std, standardize=False):
        net = small_cnn((40, 4), 2, filters=(4,), kernel_size=5, dense=8, dropout=dropout, head=head)
        ensembler = EnsemblerBase(net, uncertainty_fun=uncertainty_fun)
        y = np.random.default_rng(1).normal(3.0, 2.0, (30, 2)).astype(np.float32)
        ensembler.train(TOKENS, y, 2, shift, (TOKENS, y), tmp_path / "member", standardize=standardize)
        return ensembler

    return make


@pytest.mark.parametrize("standardize", [False, True])
def test_dropout_stays_on_and_its_masks_follow_the_seed(ensemble, standardize):
    ensembler = ensemble(Gaussian() if standardize else LINEAR, standardize=standardize)
    before = ensembler.load_members()[1].get_weights()
    predict = MCDropout(member=1, num_samples=40).predictor(ensembler, seed=7)
    found, again = predict(TOKENS), predict(TOKENS)
    other = MCDropout(member=1, num_samples=40).predictor(ensembler, seed=8)(TOKENS)
    assert np.array_equal(found.mean, again.mean)
    assert np.array_equal(found.epistemic, again.epistemic)
    assert not np.array_equal(found.mean, other.mean)
    assert (found.epistemic > 0).all()
    assert (found.aleatoric is not None) == standardize
    # many masks average to about the network without dropout, in the targets' units
    plain, _ = split_columns(ensembler.load_members()[1], predict_outputs(ensembler.load_members()[1], TOKENS))
    error = np.abs(found.mean - plain) / (found.epistemic / np.sqrt(40))
    assert np.median(error) < 4
    assert all(np.array_equal(a, b) for a, b in zip(before, ensembler.load_members()[1].get_weights(), strict=True))


def test_normalisation_does_not_look_at_the_batch(ensemble):
    predict = MCDropout(num_samples=2).predictor(ensemble(dropout=1e-9), seed=0)
    together, alone = predict(TOKENS).mean, np.concatenate([predict(TOKENS[[row]]).mean for row in range(3)])
    np.testing.assert_allclose(together[:3], alone, rtol=1e-5, atol=1e-6)


def test_a_gaussian_network_speaks_for_itself(ensemble):
    ensembler = ensemble(Gaussian(), standardize=True)
    found = SingleNetwork(member=1).predictor(ensembler, seed=0)(TOKENS)
    mean, aleatoric = split_columns(ensembler.load_members()[1], ensembler.predict_members(TOKENS)[1])
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.aleatoric, aleatoric, rtol=1e-5)
    assert found.epistemic is None


def test_an_evidential_network_has_both_kinds(ensemble):
    ensembler = ensemble(Evidential())
    found = SingleNetwork().predictor(ensembler, seed=0)(TOKENS)
    _, nu, alpha, beta = np.split(predict_outputs(ensembler.load_members()[0], TOKENS).astype(np.float64), 4, axis=1)
    np.testing.assert_allclose(found.epistemic, np.sqrt(beta / (nu * (alpha - 1))), rtol=1e-4)
    np.testing.assert_allclose(found.aleatoric, np.sqrt(beta / (alpha - 1)), rtol=1e-4)


def test_what_cannot_serve_is_refused(ensemble):
    ensembler = ensemble(dropout=0.0)
    with pytest.raises(ConfigError, match="without. Set a dropout rate"):
        MCDropout().predictor(ensembler, seed=0)
    with pytest.raises(ConfigError, match="means only"):
        SingleNetwork().predictor(ensembler, seed=0)
    with pytest.raises(ConfigError, match="from 0 to 1. Received: 2"):
        MCDropout(member=2).predictor(ensembler, seed=0)
    with pytest.raises(ConfigError, match="num_samples >= 2"):
        MCDropout(num_samples=1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([f"+evaluation.baselines.dropout={DROPOUT}", "model.dropout=0.0"], "Expected members with dropout"),
        ([f"+evaluation.baselines.one={SINGLE}"], "means only"),
        ([f"+evaluation.baselines.student={SINGLE}"], "names of its own"),
        ([f"+evaluation.baselines.one={DROPOUT}", "evaluation.uncertainty=null"], "Expected evaluation.uncertainty"),
    ],
)
def test_studies_refuse_it_before_training(tmp_path, overrides, message):
    with pytest.raises(ConfigError, match=message):
        run(composed(*overrides), NullTracker(), tmp_path / "study")
    assert not (tmp_path / "study" / "weights").exists()


def test_a_study_compares_its_baselines(tmp_path):
    config = composed(
        *("loss=gaussian_nll", "model.head={_target_: degu.models.heads.Gaussian}", "model.dropout=0.5"),
        *(f"+evaluation.baselines.dropout={DROPOUT}", f"+evaluation.baselines.one={SINGLE}"),
    )
    metrics = run(config, NullTracker(), tmp_path / "study").metrics
    rows = {key.split("/")[3] for key in metrics if key.startswith("test/uncertainty_aleatoric/nll/")}
    assert rows == {"ensemble", "student", "student_minus_ensemble", "dropout", "one"}
    rows = {key.split("/")[3] for key in metrics if key.startswith("test/uncertainty_total/nll/")}
    assert rows == {"ensemble", "student", "student_minus_ensemble", "dropout"}
    for row in ("dropout", "one"):
        assert f"test/regression/pearson_r/{row}/mean" in metrics
        assert f"test/conformal_absolute/coverage_90/{row}/mean" in metrics
    assert (tmp_path / "study" / "report.html").stat().st_size
