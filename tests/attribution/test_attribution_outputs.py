import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, attribution
from degu.data.encoding import one_hot
from degu.distill import StudentColumns
from degu.ensemble.outputs import split_columns
from degu.errors import ConfigError
from degu.models.head_layers import GaussianHead, ReplicatesHead
from degu.train.batches import predict
from degu.uncertainty import Spread, logvar


@pytest.fixture
def members(linear, weights):
    """Three linear networks with two targets, and their weights (3, 12, 4, 2)."""
    drawn = np.stack([weights(seed) for seed in range(3)])
    return [linear(one) for one in drawn], drawn


def test_ensemble_mean_is_the_mean_of_members(members, tokens):
    networks, drawn = members
    output = attribution.ensemble_output(networks, "mean", 1)
    np.testing.assert_allclose(attribution.saliency(output, tokens)[0], drawn[..., 1].mean(axis=0), rtol=1e-5)
    single = [attribution.mutagenesis(attribution.network_output(network, target=1), tokens) for network in networks]
    np.testing.assert_allclose(attribution.mutagenesis(output, tokens), np.mean(single, axis=0), atol=1e-5)


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
@pytest.mark.parametrize("ddof", [0, 1])
def test_epistemic_gradient_is_exact(members, tokens, unit, ddof):
    networks, drawn = members
    spread, x = Spread(unit, ddof), one_hot(tokens)
    output = attribution.ensemble_output(networks, "epistemic", 0, spread=spread)
    predictions = np.stack([predict(network, tokens)[:, 0] for network in networks]).astype(float)
    np.testing.assert_allclose(output.value(x), spread(predictions), rtol=1e-4)
    variance = predictions.var(axis=0, ddof=ddof)
    of_variance = np.einsum("mn,mlc->nlc", predictions - predictions.mean(axis=0), drawn[..., 0]) * 2 / (3 - ddof)
    factor = {"std": 0.5 / np.sqrt(variance), "var": np.ones(5), "logvar": 1 / variance}[unit]
    np.testing.assert_allclose(
        attribution.saliency(output, tokens), factor[:, None, None] * of_variance, rtol=2e-3, atol=1e-4
    )


def test_members_that_agree_have_no_epistemic_gradient(linear, weights, tokens):
    output = attribution.ensemble_output([linear(weights()), linear(weights())], "epistemic", spread=logvar)
    assert not attribution.saliency(output, tokens).any()
    alone = attribution.ensemble_output([linear(weights())], "epistemic", spread=logvar)
    assert not attribution.saliency(alone, tokens).any()


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_aleatoric_column_is_a_standard_deviation(linear, weights, tokens, unit):
    networks = [linear(weights(seed, 4) / 4, GaussianHead(unit)) for seed in (0, 1)]
    x, noise = one_hot(tokens), []
    for network in networks:
        _, aleatoric = split_columns(network, predict(network, tokens))
        noise.append(aleatoric[:, 1])
        output = attribution.network_output(network, "aleatoric", 1)
        np.testing.assert_allclose(output.value(x), aleatoric[:, 1], rtol=1e-5)
        step, change = 1e-2, np.zeros((5, 12, 4), np.float32)
        change[:, 5, 2] = step
        numeric = (output.value(x + change) - output.value(x - change)) / (2 * step)
        np.testing.assert_allclose(attribution.saliency(output, tokens)[:, 5, 2], numeric, rtol=1e-2, atol=1e-4)
    pooled = attribution.ensemble_output(networks, "aleatoric", 1)
    np.testing.assert_allclose(pooled.value(x), np.sqrt(np.mean(np.square(noise), axis=0)), rtol=1e-5)


def test_columns_of_a_student(linear, weights, tokens):
    columns, drawn = StudentColumns(2, aleatoric=(1,)), weights(columns=5)
    student = linear(drawn)
    for place, (column, target) in enumerate(
        [("mean", 0), ("mean", 1), ("aleatoric", 1), ("epistemic", 0), ("epistemic", 1)]
    ):
        assert columns.place(column, target) == place
        output = attribution.student_output(student, columns, column, "ab"[target], names=["a", "b"])
        np.testing.assert_allclose(attribution.saliency(output, tokens)[0], drawn[..., place], rtol=1e-5)
    for column, target in (("aleatoric", 0), ("epistemik", 1), ("mean", 2)):
        with pytest.raises(ConfigError):
            attribution.student_output(student, columns, column, target)


def test_columns_of_a_trained_ensemble_and_its_student(conv_net, splits, shift, tmp_path):
    ensembler = EnsemblerBase(conv_net())
    ensembler.train(splits.train.tokens, splits.train.targets, 3, shift, save_prefix=tmp_path / "m")
    x = splits.test.tokens[:6]
    prediction = ensembler.predict(x)
    networks = ensembler.load_members()
    for target, name in enumerate(splits.target_names):
        mean = attribution.ensemble_output(networks, "mean", name, splits.target_names)
        np.testing.assert_allclose(mean.value(one_hot(x)), prediction.mean[:, target], atol=1e-5)
        spread = attribution.ensemble_output(networks, "epistemic", target, spread=ensembler.uncertainty_fun)
        np.testing.assert_allclose(spread.value(one_hot(x)), prediction.epistemic[:, target], rtol=1e-3)
    student, columns = conv_net(4)(), Distiller(ensembler).columns
    output = attribution.student_output(student, columns, "epistemic", 1)
    np.testing.assert_allclose(output.value(one_hot(x)), predict(student, x)[:, 3], atol=1e-6)


def test_dropout_and_batch_statistics_are_those_of_inference(conv_net, splits):
    network = conv_net(dropout=0.5)()
    output, x = attribution.network_output(network), splits.test.tokens[:4]
    first = attribution.saliency(output, x)
    np.testing.assert_array_equal(attribution.saliency(output, x), first)
    np.testing.assert_allclose(attribution.saliency(output, x[:1]), first[:1], atol=1e-6)


def test_weights_that_change_are_seen(linear, weights, tokens):
    network = linear(weights(0))
    output = attribution.network_output(network)
    attribution.saliency(output, tokens)
    network.set_weights(linear(weights(1)).get_weights())
    np.testing.assert_allclose(attribution.saliency(output, tokens)[0], weights(1)[..., 0], rtol=1e-5)


def test_mistakes_are_named(linear, weights):
    network = linear(weights())
    with pytest.raises(ConfigError, match=r"Expected a target, one of \['Dev', 'Hk'\]. Received: 'dev'. Did you mean"):
        attribution.network_output(network, target="dev", names=["Dev", "Hk"])
    with pytest.raises(ConfigError, match="Expected a target from 0 to 1. Received: 2"):
        attribution.ensemble_output([network], target=2)
    with pytest.raises(ConfigError, match=r"for target 0, one of \['mean'\]. Received: 'epistemic'"):
        attribution.network_output(network, "epistemic")
    with pytest.raises(ConfigError, match=r"one of \['mean', 'epistemic'\]. Received: 'epistemc'. Did you mean 'epist"):
        attribution.ensemble_output([network], "epistemc")
    with pytest.raises(ConfigError, match="Expected the members of an ensemble. Received: none"):
        attribution.ensemble_output([])
    partial = linear(weights(columns=3), ReplicatesHead([1]))
    assert attribution.network_output(partial, "aleatoric", 1).name == "aleatoric of 1"
    with pytest.raises(ConfigError, match=r"for target 0, one of \['mean'\]. Received: 'aleatoric'"):
        attribution.network_output(partial, "aleatoric", 0)


def test_the_module_says_what_it_has():
    assert all(hasattr(attribution, name) for name in attribution.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'salience'"):
        _ = attribution.salience
