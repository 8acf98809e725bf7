import keras
import numpy as np
import pytest
from scipy import stats

from degu.data import TargetScaler
from degu.ensemble.outputs import split_columns
from degu.models.heads import Evidential, Gaussian, output_columns
from degu.train.batches import predict
from degu.train.units import can_fold, fold_into_output, in_target_units

SCALER = TargetScaler(np.array([5.0, -2.0]), np.array([3.0, 0.25]))
X = np.random.default_rng(0).integers(0, 4, (16, 40), dtype=np.uint8)


def with_head(head):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, head(keras.layers.Flatten()(inputs), 2))


def sequential(build):
    return keras.Sequential([keras.Input((40, 4)), keras.layers.Flatten(), keras.layers.Dense(2)])


def nested(build):
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, build(2)()(inputs))


@pytest.mark.parametrize("make", [lambda build: build(2)(), sequential, nested], ids=["plain", "sequential", "nested"])
def test_folded_network_answers_in_units(conv_net, make):
    model = make(conv_net)
    standardised = predict(model, X)
    assert can_fold(model)
    assert fold_into_output(model, SCALER)
    np.testing.assert_allclose(predict(model, X), SCALER.inverse(standardised), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("end", [{"activation": "relu"}, {"use_bias": False}], ids=str)
def test_other_last_layers_are_left_as_they_are(conv_net, end):
    model = conv_net(2, **end)()
    before = model.get_weights()
    assert not can_fold(model)
    assert not fold_into_output(model, SCALER)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_heads_cannot_take_in_units():
    assert not can_fold(with_head(Gaussian("std")))


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_normal_distribution_in_units(unit):
    model = with_head(Gaussian(unit))
    mean, spread = split_columns(model, predict(model, X))
    moved, wider = split_columns(model, predict(in_target_units(model, SCALER), X))
    # y = z * scale + mean, for z normal with this mean and standard deviation
    for k, (shift, scale) in enumerate(zip(SCALER.mean, SCALER.scale, strict=True)):
        z = stats.norm(mean[:, k].astype(float), spread[:, k].astype(float))
        y = stats.norm(moved[:, k].astype(float), wider[:, k].astype(float))
        np.testing.assert_allclose(y.cdf(shift + scale * 0.7), z.cdf(0.7), rtol=1e-4)
        np.testing.assert_allclose(y.ppf(0.1), shift + scale * z.ppf(0.1), rtol=1e-4)


def test_evidential_distribution_in_units():
    model = with_head(Evidential())
    standardised, in_units = predict(model, X), predict(in_target_units(model, SCALER), X)

    def predictive(outputs, k):
        gamma, nu, alpha, beta = (outputs[:, group * 2 + k].astype(float) for group in range(4))
        return stats.t(2 * alpha, loc=gamma, scale=np.sqrt(beta * (1 + nu) / (nu * alpha)))

    for k, (shift, scale) in enumerate(zip(SCALER.mean, SCALER.scale, strict=True)):
        expected = shift + scale * predictive(standardised, k).ppf(0.8)
        np.testing.assert_allclose(predictive(in_units, k).ppf(0.8), expected, rtol=1e-4)


def test_network_in_units_shares_its_weights():
    model = with_head(Gaussian())
    assert in_target_units(model, SCALER).trainable_weights == model.trainable_weights
    assert [column.meaning for column in output_columns(in_target_units(model, SCALER))] == ["mean"] * 2 + [
        "aleatoric"
    ] * 2
