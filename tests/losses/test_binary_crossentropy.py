import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from degu.losses import BinaryCrossentropy

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (50, 2)).astype("float32")
PROBABILITIES = RNG.uniform(0.01, 0.99, (50, 2)).astype("float32")


def test_value_is_the_mean_log_loss():
    expected = np.mean([log_loss(LABELS[:, k], PROBABILITIES[:, k].astype(float)) for k in range(2)])
    assert float(BinaryCrossentropy()(LABELS, PROBABILITIES)) == pytest.approx(expected, rel=1e-5)


def test_missing_labels_weigh_nothing():
    labels = LABELS.copy()
    labels[:, 1] = np.nan
    expected = log_loss(LABELS[:, 0], PROBABILITIES[:, 0].astype(float))
    assert float(BinaryCrossentropy()(labels, PROBABILITIES)) == pytest.approx(expected, rel=1e-5)


def test_training_with_missing_labels_finds_the_share_of_positives():
    labels = np.array([[1], [np.nan], [0], [1], [np.nan], [1]], "float32")
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")(inputs))
    model.compile(keras.optimizers.Adam(0.1), BinaryCrossentropy())
    model.fit(np.zeros((6, 1)), labels, epochs=200, verbose=0)
    assert model.predict(np.zeros((1, 1)), verbose=0).item() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_certain_and_wrong_stays_finite(label):
    loss = BinaryCrossentropy()(np.array([[label]], "float32"), np.array([[1 - label]], "float32"))
    assert 10 < float(loss) < 20


def test_config_makes_the_same_loss_again():
    again = BinaryCrossentropy.from_config(BinaryCrossentropy(name="n", reduction="sum").get_config())
    assert (again.name, again.reduction) == ("n", "sum")
