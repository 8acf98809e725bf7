import keras
import numpy as np
import pytest
from scipy.stats import norm

from degu.errors import ConfigError, DataError
from degu.losses import BetaNLL, GaussianNLL

RNG = np.random.default_rng(0)
TARGETS = RNG.normal(size=(50, 2))
MEAN = RNG.normal(size=(50, 2))
STD = RNG.uniform(0.2, 3, size=(50, 2))
IN_UNIT = {"std": STD, "var": STD**2, "logvar": np.log(STD**2)}


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_gaussian_nll_is_that_of_scipy(unit):
    expected = -norm.logpdf(TARGETS, MEAN, STD).mean()
    loss = GaussianNLL(unit)(TARGETS, np.hstack([MEAN, IN_UNIT[unit]]))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_without_the_constant_it_is_smaller_by_half_log_two_pi():
    predictions = np.hstack([MEAN, STD])
    gap = float(GaussianNLL()(TARGETS, predictions)) - float(GaussianNLL(full=False)(TARGETS, predictions))
    assert gap == pytest.approx(np.log(2 * np.pi) / 2, rel=1e-5)


@pytest.mark.parametrize(("unit", "spread"), [("std", 0.0), ("var", 0.0), ("logvar", -100.0)])
def test_floor_bounds_the_spread_in_every_unit(unit, spread):
    loss = GaussianNLL(unit, floor=0.1)(np.array([[0.2]]), np.array([[0.0, spread]]))
    assert float(loss) == pytest.approx(-norm.logpdf(0.2, 0, 0.1), rel=1e-4)


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_nll_weighs_by_the_variance_to_the_power_of_beta(unit, beta):
    nll = -norm.logpdf(TARGETS, MEAN, STD) - np.log(2 * np.pi) / 2
    loss = BetaNLL(beta, unit)(TARGETS, np.hstack([MEAN, IN_UNIT[unit]]))
    assert float(loss) == pytest.approx((STD ** (2 * beta) * nll).mean(), rel=1e-5)


def gradient(loss, targets, predictions, epsilon=1e-3):
    """Gradient with respect to the predictions by one step of plain gradient descent on a bare bias."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(predictions.size, kernel_initializer="zeros")])
    model.layers[0].set_weights([np.zeros((1, predictions.size)), predictions.astype("float32")])
    model.compile(keras.optimizers.SGD(epsilon), loss)
    model.train_on_batch(np.zeros((1, 1)), targets[None])
    return (predictions - np.asarray(model.layers[0].bias)) / epsilon


def test_beta_one_gives_the_mean_the_gradient_of_half_the_squared_error():
    grad = gradient(BetaNLL(1.0, "logvar"), np.array([2.0]), np.array([0.5, np.log(9.0)]))
    assert grad[0] == pytest.approx(0.5 - 2.0, rel=1e-2)
    assert grad[1] == pytest.approx(9 * (1 - 1.5**2 / 9) / 2, rel=1e-2)


def test_true_variances_beat_the_best_constant_variance():
    """A loss that scores every error with every variance prefers the constant one."""
    std = np.exp(RNG.normal(size=(20_000, 1)))
    targets = std * RNG.normal(size=std.shape)
    zeros = np.zeros_like(std)
    true = float(GaussianNLL()(targets, np.hstack([zeros, std])))
    constant = float(GaussianNLL()(targets, np.hstack([zeros, np.full_like(std, targets.std())])))
    assert true == pytest.approx(-norm.logpdf(targets, 0, std).mean(), rel=1e-4)
    assert true < constant - 0.5


@pytest.mark.parametrize("loss", [GaussianNLL(), BetaNLL()], ids=["gaussian", "beta"])
def test_one_dimensional_targets_are_one_column(loss):
    predictions = np.hstack([MEAN[:, :1], STD[:, :1]])
    assert float(loss(TARGETS[:, 0], predictions)) == float(loss(TARGETS[:, :1], predictions))
    assert loss.call(TARGETS[:, 0], predictions).shape == (50,)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(DataError, match=r"expected targets of shape \(batch, K\) .* received \(50, 1\) and \(50, 4\)"):
        GaussianNLL()(TARGETS[:, 0], np.hstack([MEAN, STD]))
    with pytest.raises(DataError, match="received"):
        GaussianNLL()(TARGETS, MEAN)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianNLL("sigma"), "expected one of std, var, logvar, received 'sigma'"),
        (lambda: GaussianNLL(floor=0.0), "expected a standard deviation > 0, received 0.0"),
        (lambda: BetaNLL(2.0), "expected a number from 0 to 1, received 2.0"),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
