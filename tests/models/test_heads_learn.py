"""What networks with the heads Replicates and Probability put out, and what they learn from."""

from typing import NamedTuple

import keras
import numpy as np
import pytest

from degu.data import TargetScaler
from degu.errors import ConfigError, DataError
from degu.models import small_cnn
from degu.models.heads import LINEAR, Column, Evidential, Gaussian, Linear, Probability, Replicates, output_columns
from degu.train.units import can_fold, fitted_scaler, fold_into_output

NAMES = ("a", "b", "c")
NAN = np.nan
X = np.eye(4, dtype="float32")[np.random.default_rng(0).integers(0, 4, (6, 20))]


class Measured(NamedTuple):
    targets: np.ndarray
    target_std: np.ndarray | None = None


TARGETS = np.array([[1, 2, NAN], [4, NAN, 6]], "float32")
STD = np.array([[0.1, NAN, 0.3], [NAN, NAN, 0.6]], "float32")


def net(head, num_targets=3):
    keras.utils.set_random_seed(2)
    return small_cnn((20, 4), num_targets, head=head)


def outputs(model):
    return keras.ops.convert_to_numpy(model(X, training=False))


def means(count):
    return tuple(Column(target, "mean") for target in range(count))


@pytest.mark.parametrize("of", [None, (0, 1, 2), (2, 0), (1,)])
def test_replicates_has_a_column_for_each_target_asked_for(of):
    model = net(Replicates(of))
    expected = (0, 1, 2) if of is None else of
    assert output_columns(model) == means(3) + tuple(Column(target, "aleatoric", "std") for target in expected)
    assert outputs(model).shape == (6, 3 + len(expected))


def test_columns_of_replicates_are_linear():
    model = net(Replicates((0,)))
    kernel, bias = model.get_layer("head").get_weights()
    features = keras.Model(model.input, model.get_layer("head").input)
    np.testing.assert_allclose(outputs(model), outputs(features) @ kernel + bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: keras.Sequential([model])], ids=["", "nested"])
def test_replicates_take_in_the_units_column_by_column(wrap):
    model = wrap(net(Replicates((1,))))
    scaler = TargetScaler(np.array([5.0, -2, 0, 0.3]), np.array([3.0, 0.25, 1, 0.1]))
    before = outputs(model)
    assert can_fold(model)
    assert fold_into_output(model, scaler)
    np.testing.assert_allclose(outputs(model), scaler.inverse(before), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("head", [Linear(), Gaussian(), Evidential()], ids=str)
def test_other_heads_learn_the_measured_values(head):
    assert head.targets(Measured(TARGETS, STD), NAMES) is TARGETS
    assert head.student(3) is LINEAR


@pytest.mark.parametrize("of", [(0, 2), (2, 0), [2]])
def test_replicates_learn_values_and_standard_deviations(of):
    learnt = Replicates(of).targets(Measured(TARGETS, STD), NAMES)
    np.testing.assert_array_equal(learnt, np.hstack([TARGETS, STD[:, list(of)]]))
    assert learnt.dtype == np.float32


@pytest.mark.parametrize(
    ("head", "std", "message"),
    [
        (Replicates(), None, "standard deviations over replicates.*Received: none"),
        (Replicates(), STD, r"target 'b'.*Received: none. Set model.head.of to some of \[0, 2\]"),
        (Replicates((5,)), STD, r"target number 5"),
    ],
)
def test_replicates_that_were_not_measured_are_refused(head, std, message):
    with pytest.raises(ConfigError, match=message):
        head.targets(Measured(TARGETS, std), NAMES)


@pytest.mark.parametrize("of", [(), (0, 0), (-1,), (0.5,), ("a",), (True,)])
def test_numbers_of_targets_are_checked(of):
    with pytest.raises(ConfigError, match="Replicates of: expected numbers of targets"):
        Replicates(of)


def test_replicates_of_a_target_that_does_not_exist_cannot_be_built():
    with pytest.raises(ConfigError, match=r"expected targets below 3, counted from 0, received \[3\]"):
        net(Replicates((3,)))


def test_probabilities_are_sigmoids_and_mean_columns():
    model = net(Probability())
    raw = outputs(keras.Model(model.input, model.get_layer("head").output))
    np.testing.assert_allclose(outputs(model), 1 / (1 + np.exp(-raw)), rtol=1e-5)
    assert output_columns(model) == means(3)


def test_the_student_of_a_classifier_has_probabilities_and_linear_spreads():
    head = Probability().student(2)
    model = net(head, 4)
    raw = outputs(keras.Model(model.input, model.get_layer("head").output))
    np.testing.assert_allclose(outputs(model)[:, :2], 1 / (1 + np.exp(-raw[:, :2])), rtol=1e-5)
    np.testing.assert_array_equal(outputs(model)[:, 2:], raw[:, 2:])
    assert not can_fold(model)


def test_labels_are_learnt_as_they_are():
    labels = np.array([[0, 1, NAN]], "float32")
    assert Probability().targets(Measured(labels), NAMES) is labels
    with pytest.raises(DataError, match="Target 'b': expected labels 0 or 1.*Received: 2 in row 0"):
        Probability().targets(Measured(TARGETS[:, [1, 1]] * 1.0), ("b", "c"))
    with pytest.raises(ConfigError, match="Expected standardize=False.*ProbabilityHead"):
        fitted_scaler(net(Probability()), labels)


@pytest.mark.parametrize(("number", "message"), [(0, "expected 1 or more, received 0"), (4, "at most 3.*received 4")])
def test_number_of_probabilities_is_checked(number, message):
    with pytest.raises(ConfigError, match=message):
        net(Probability(number))


# Keras reads TensorFlow variables for a file through an `__array__` that NumPy 2 finds old-fashioned.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("head", [Replicates((2, 0)), Probability(), Probability(1)], ids=str)
def test_saved_models_answer_the_same(head, tmp_path):
    model = net(head)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(outputs(loaded), outputs(model))
    assert output_columns(loaded) == output_columns(model)
    assert model.layers[-1].name == "output"


def test_a_list_from_a_config_becomes_a_tuple():
    assert Replicates([1, 0]) == Replicates((1, 0))
