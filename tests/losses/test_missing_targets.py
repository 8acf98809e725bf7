import keras
import numpy as np
import pytest

from degu.errors import ConfigError
from degu.losses import BetaNLL, DistillationLoss, EvidentialRegression, GaussianNLL, MaskedMSE

LOSSES = {
    "masked_mse": (MaskedMSE(), 1),
    "gaussian_nll": (GaussianNLL(), 2),
    "beta_nll": (BetaNLL(), 2),
    "evidential": (EvidentialRegression(), 4),
    "distillation": (DistillationLoss((1.0, 1.0)), 1),
}
RNG = np.random.default_rng(0)
TARGETS = RNG.normal(size=(6, 2)).astype("float32")
NAN = np.float32("nan")


def predictions(groups, rows=6):
    """Means of any sign, then positive columns above 1, which suit every head."""
    means = RNG.normal(size=(rows, 2))
    return np.hstack([means, RNG.uniform(1.5, 3, size=(rows, 2 * (groups - 1)))]).astype("float32")


@pytest.fixture(params=LOSSES)
def case(request):
    return LOSSES[request.param]


def test_loss_of_a_sample_is_the_mean_over_its_measured_columns(case):
    loss, groups = case
    predicted = predictions(groups)
    first = loss.call(TARGETS[:, :1], predicted[:, ::2]) if not isinstance(loss, DistillationLoss) else None
    targets = TARGETS.copy()
    targets[:, 1] = NAN
    values = np.asarray(loss.call(targets, predicted))
    expected = np.square(TARGETS[:, 0] - predicted[:, 0]) if first is None else np.asarray(first)
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_a_sample_without_measurement_contributes_nothing(case):
    loss, groups = case
    predicted = predictions(groups)
    targets = TARGETS.copy()
    targets[3] = NAN
    values = np.asarray(loss.call(targets, predicted))
    others = np.arange(6) != 3
    assert values[3] == 0
    np.testing.assert_array_equal(values[others], np.asarray(loss.call(TARGETS, predicted))[others])


def test_reported_value_is_the_weighted_mean_over_samples(case):
    loss, groups = case
    predicted, weights = predictions(groups), np.arange(6, dtype="float32")
    values = np.asarray(loss.call(TARGETS, predicted))
    assert float(loss(TARGETS, predicted)) == pytest.approx(values.mean(), rel=1e-5)
    assert float(loss(TARGETS, predicted, weights)) == pytest.approx((values * weights).sum() / 6, rel=1e-5)


def step(loss, groups, targets):
    """Return what one step of gradient descent does to a bias that is the prediction of every sample."""
    start = predictions(groups, rows=1)[0]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(len(start), kernel_initializer="zeros")])
    model.layers[0].set_weights([np.zeros((1, len(start))), start])
    model.compile(keras.optimizers.SGD(0.1), loss)
    model.train_on_batch(np.zeros((len(targets), 1)), targets)
    return np.asarray(model.layers[0].bias) - start


def test_gradient_is_finite_and_zero_where_nothing_was_measured(case):
    loss, groups = case
    targets = TARGETS.copy()
    targets[:, 1] = NAN
    moved = step(loss, groups, targets)
    assert np.isfinite(moved).all()
    assert (moved[0::2] != 0).all()
    assert (moved[1::2] == 0).all()


def test_logged_loss_is_the_recomputed_one_whatever_the_batches(case):
    loss, groups = case
    targets = np.tile(TARGETS, (5, 1))
    targets[RNG.random(targets.shape) < 0.4] = NAN
    inputs = predictions(groups, rows=30)
    model = keras.Sequential([keras.Input(inputs.shape[1:]), keras.layers.Identity()])
    model.compile(loss=loss)
    expected = np.asarray(loss.call(targets, inputs)).mean()
    assert model.evaluate(inputs, targets, batch_size=7, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_config_rebuilds_the_same_loss(case):
    loss, groups = case
    clone = keras.losses.deserialize(keras.losses.serialize(loss))
    predicted = predictions(groups)
    assert type(clone) is type(loss)
    assert clone.get_config() == loss.get_config()
    assert float(clone(TARGETS, predicted)) == float(loss(TARGETS, predicted))


def test_distillation_with_equal_weights_is_the_mean_squared_error():
    targets, predicted = RNG.normal(size=(2, 9, 6)).astype("float32")
    expected = np.square(targets - predicted).mean()
    assert float(DistillationLoss([1] * 6)(targets, predicted)) == pytest.approx(expected, rel=1e-5)


def test_distillation_weights_act_on_groups_of_columns():
    targets, predicted = RNG.normal(size=(2, 9, 6)).astype("float32")
    groups = np.square(targets - predicted).reshape(9, 3, 2).mean(axis=(0, 2))
    expected = (3 * groups[0] + 1 * groups[1] + 0 * groups[2]) / 4
    assert float(DistillationLoss([3, 3, 1, 1, 0, 0])(targets, predicted)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights", [(), (0.0, 0.0), (1.0, -1.0), (1.0, float("inf")), (1.0, float("nan"))])
def test_distillation_weights_are_checked(weights):
    with pytest.raises(ConfigError, match="column_weights: expected finite weights"):
        DistillationLoss(weights)


def test_distillation_columns_must_match_the_weights():
    with pytest.raises(ConfigError, match="expected 4 columns, received 6"):
        DistillationLoss([1.0] * 4)(np.zeros((3, 6)), np.zeros((3, 6)))
