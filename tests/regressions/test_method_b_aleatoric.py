"""Faults of earlier heteroscedastic and "evidential" baselines that must not come back (METHOD B13 to B15)."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from degu.errors import ConfigError
from degu.losses import BetaNLL, EvidentialRegression, GaussianNLL, MaskedMSE, evidential_uncertainty
from degu.models.heads import Evidential, Gaussian
from degu.train import train_one_cycle_fun, train_standard_fun

RNG = np.random.default_rng(0)
SD = np.where(np.arange(400) % 2, 3.0, 0.2)
MEAN = RNG.normal(size=400)
MEASURED = (MEAN + SD * RNG.normal(size=400)).astype("float32")


def columns(*parts):
    return np.stack([np.broadcast_to(part, 400) for part in parts], axis=1).astype("float32")


def net(head):
    """A network that sees whether the first base is A."""
    inputs = keras.Input((4, 4))
    return keras.Model(inputs, head(keras.layers.Flatten()(inputs), 1))


def two_sequences(deviations, size=600):
    """Half AAAA, half CCCC, measured around 0 with one standard deviation for each."""
    kind = np.arange(size) % 2
    tokens = np.repeat(kind[:, None], 4, axis=1).astype(np.uint8)
    noise = RNG.normal(size=(size, 1))
    return tokens, (noise * np.array(deviations)[kind][:, None]).astype("float32")


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_b13_every_error_is_scored_with_its_own_variance(unit):
    spread = {"std": SD, "var": SD**2, "logvar": 2 * np.log(SD)}[unit]
    constant = {"std": 2.1, "var": 2.1**2, "logvar": 2 * np.log(2.1)}[unit]
    loss = GaussianNLL(unit)
    at_truth = float(loss(MEASURED[:, None], columns(MEAN, spread)))
    at_constant = float(loss(MEASURED[:, None], columns(MEAN, constant)))
    assert at_truth == pytest.approx(-stats.norm(MEAN, SD).logpdf(MEASURED).mean(), rel=1e-4)
    assert at_constant == pytest.approx(-stats.norm(MEAN, 2.1).logpdf(MEASURED).mean(), rel=1e-4)
    assert at_truth < at_constant - 0.3


@pytest.mark.parametrize("loss", [GaussianNLL(), BetaNLL()], ids=lambda loss: loss.name)
def test_b13_the_loss_of_a_sample_does_not_depend_on_its_batch(loss):
    predicted = columns(MEAN, SD)
    whole = np.asarray(loss.call(MEASURED[:, None], predicted))
    assert whole.shape == (400,)
    one_by_one = [float(loss.call(MEASURED[[n], None], predicted[[n]])[0]) for n in range(5)]
    np.testing.assert_allclose(whole[:5], one_by_one, rtol=1e-5)


@pytest.mark.parametrize("loss", [GaussianNLL(), BetaNLL()], ids=lambda loss: loss.name)
def test_b13b_targets_may_be_a_vector(loss):
    predicted = columns(MEAN, SD)
    assert float(loss(MEASURED, predicted)) == pytest.approx(float(loss(MEASURED[:, None], predicted)))


@pytest.mark.parametrize("head", [Gaussian("std"), Gaussian("var"), Gaussian("logvar")], ids=str)
def test_b13_b14_training_finds_a_noise_that_varies_and_is_below_one(head):
    tokens, y = two_sequences((0.1, 0.6))
    model = net(head)
    train_standard_fun(
        model, tokens, y, (tokens, y), GaussianNLL(head.unit), max_epochs=25, batch_size=100, initial_lr=0.05, seed=0
    )
    outputs = ops.convert_to_numpy(model(np.eye(4, dtype="float32")[[[0] * 4, [1] * 4]]))[:, 1]
    found = {"std": outputs, "var": np.sqrt(np.maximum(outputs, 0)), "logvar": np.exp(outputs / 2)}[head.unit]
    np.testing.assert_allclose(found, [0.1, 0.6], rtol=0.15)


@pytest.mark.parametrize("loss", [GaussianNLL, BetaNLL])
@pytest.mark.parametrize(("unit", "other"), [("std", "logvar"), ("logvar", "std"), ("var", "std")])
def test_b14_a_spread_is_never_read_in_another_unit(loss, unit, other):
    tokens, y = two_sequences((0.1, 0.6), 20)
    with pytest.raises(ConfigError, match=f"with unit '{unit}'.*with unit '{other}'"):
        train_standard_fun(net(Gaussian(unit)), tokens, y, (tokens, y), loss(unit=other), max_epochs=1)


@pytest.mark.parametrize("head", [Gaussian(), Evidential()], ids=str)
@pytest.mark.parametrize("loss", ["mse", keras.losses.MeanSquaredError()], ids=["name", "object"])
def test_b14_a_loss_for_plain_values_is_refused(head, loss):
    tokens, y = two_sequences((0.1, 0.6), 20)
    with pytest.raises(ConfigError, match="Expected a loss that reads the columns of"):
        train_one_cycle_fun(net(head), tokens, y, (tokens, y), loss, max_epochs=2)


def test_b14_evidential_is_a_normal_inverse_gamma_with_its_penalty():
    gamma, nu, alpha, beta = 0.3, 2.0, 3.0, 0.5
    predicted = columns(gamma, nu, alpha, beta)
    marginal = stats.t(2 * alpha, loc=gamma, scale=np.sqrt(beta * (1 + nu) / (nu * alpha)))
    likelihood = -marginal.logpdf(MEASURED).mean()
    penalty = np.abs(MEASURED - gamma).mean() * (2 * nu + alpha)
    for coefficient in (0.0, 0.1):
        loss = float(EvidentialRegression(coefficient)(MEASURED[:, None], predicted))
        assert loss == pytest.approx(likelihood + coefficient * penalty, rel=1e-4)


def test_b14_evidential_deviation_varies_and_is_below_one():
    tokens, y = two_sequences((0.1, 0.6))
    model = net(Evidential())
    train_standard_fun(
        model, tokens, y, (tokens, y), EvidentialRegression(), max_epochs=25, batch_size=100, initial_lr=0.05, seed=0
    )
    outputs = ops.convert_to_numpy(model(np.eye(4, dtype="float32")[[[0] * 4, [1] * 4]]))
    _, aleatoric, epistemic = evidential_uncertainty(outputs)
    np.testing.assert_allclose(np.sqrt(aleatoric + epistemic)[:, 0], [0.1, 0.6], rtol=0.2)


def test_b15_every_column_of_a_student_is_trained():
    tokens, y = two_sequences((0.1, 0.6), 100)
    inputs = keras.Input((4, 4))
    student = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    before = student.get_weights()[0]
    targets = np.hstack([y, 1 + np.abs(y), 2 + tokens[:, :1]]).astype("float32")
    train_standard_fun(student, tokens, targets, (tokens, targets), MaskedMSE(), max_epochs=2)
    assert (np.abs(student.get_weights()[0] - before).max(axis=0) > 1e-3).all()
