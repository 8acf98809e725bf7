import numpy as np
import pytest

from degu import Distiller
from degu.distill import StudentColumns
from degu.errors import ConfigError
from degu.losses import DistillationLoss
from degu.train import train_standard_fun


def test_a_weight_for_each_kind_becomes_one_for_each_column():
    weights = StudentColumns(2, (1,)).weights({"mean": 3, "epistemic": 0.5})
    assert weights == [3, 3, 1, 0.5, 0.5]


def test_an_unknown_kind_is_named_with_its_nearest():
    with pytest.raises(ConfigError, match="'epistemc'.*Did you mean 'epistemic'"):
        StudentColumns(1).weights({"epistemc": 1})


def test_head_weights_reach_the_recipe(teachers, conv_net, x, y, tmp_path):
    seen = []

    def recipe(model, x_train, y_train, validation_data, loss="mse"):
        seen.append(loss)

    distiller = Distiller(teachers(), head_weights={"epistemic": 0.25})
    distiller.distill_student(x, y, conv_net(2 * y.shape[1]), recipe, save_prefix=tmp_path / "s")
    assert isinstance(seen[0], DistillationLoss)
    assert list(seen[0].weights) == [1.0] * y.shape[1] + [0.25] * y.shape[1]


def test_a_head_of_weight_zero_is_not_trained(teachers, conv_net, x, y, tmp_path):
    student = conv_net(2 * y.shape[1])()
    dense = student.layers[-1]
    before = dense.get_weights()[0]
    distiller = Distiller(teachers(), head_weights={"epistemic": 0}, standardize=False)
    distiller.distill_student(x, y, student, train_standard_fun, save_prefix=tmp_path / "s", max_epochs=1)
    after = dense.get_weights()[0]
    count = y.shape[1]
    np.testing.assert_array_equal(after[:, count:], before[:, count:])
    assert np.abs(after[:, :count] - before[:, :count]).max() > 0


def test_head_weights_and_a_loss_of_ones_own_exclude_each_other(teachers, conv_net, x, y, tmp_path):
    distiller = Distiller(teachers(), head_weights={"mean": 2})
    with pytest.raises(ConfigError, match="head_weights or a loss"):
        distiller.distill_student(x, y, conv_net(4), train_standard_fun, save_prefix=tmp_path / "s", loss="mse")
