"""Faults of earlier code for deep-ensemble distillation that must not come back; the numbers are those of METHOD B."""

import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, EnsemblerMixed, utils
from degu.errors import EnsembleError
from degu.metrics import UndefinedMetricWarning, eval_classification, eval_regression
from degu.train import train_standard_fun
from degu.uncertainty import Spread


@pytest.fixture
def data(splits):
    return splits.train.tokens, splits.train.targets


def leave(model, x_train, y_train, validation_data):
    """A training function that does not train."""


def recurrent():
    inputs = keras.Input((40, 4))
    x = keras.layers.Bidirectional(keras.layers.LSTM(4))(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def nested():
    inputs, inner = keras.Input((40, 4)), keras.Input((40, 4))
    trunk = keras.Model(inner, keras.layers.Conv1D(4, 5)(inner))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(trunk(inputs))))


def test_b1_members_differ_when_built_from_one_model(conv_net, data, tmp_path):
    ensembler = EnsemblerBase(conv_net()())
    ensembler.train(*data, 3, train_standard_fun, data, tmp_path / "m", max_epochs=1, initial_lr=0.0, min_lr=0.0)
    kernels = [model.get_weights()[0] for model in ensembler.load_members()]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert np.abs(kernels[one] - kernels[other]).max() > 0.1


@pytest.mark.parametrize("build", [recurrent, nested])
def test_b1b_layers_without_a_kernel_of_their_own_differ_too(data, tmp_path, build):
    ensembler = EnsemblerBase(build())
    ensembler.train(*data, 2, leave, save_prefix=tmp_path / "m")
    first, second = (model.get_weights() for model in ensembler.load_members())
    for a, b in zip(first, second, strict=True):
        if a.ndim > 1:
            assert np.abs(a - b).max() > 0.1


def test_b1b_batch_normalisation_starts_afresh(conv_net, data, tmp_path):
    base = conv_net()()
    base.set_weights([weight + 7 for weight in base.get_weights()])
    ensembler = EnsemblerBase(base)
    ensembler.train(*data, 2, leave, save_prefix=tmp_path / "m")
    for model in ensembler.load_members():
        gamma, beta, mean, variance = next(
            layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
        ).get_weights()
        assert ((gamma == 1) & (beta == 0) & (mean == 0) & (variance == 1)).all()


def test_b7_log_variance_of_identical_members_is_finite():
    same = np.ones((3, 5, 2))
    assert np.isfinite(utils.logvar(same, axis=0)).all()
    np.testing.assert_allclose(utils.std(same, axis=0), utils.std.floor)


def test_b8_log_variances_do_not_drown_the_activity(conv_net, data, tmp_path):
    taken = {}

    def shrink(model, x_train, y_train, validation_data):
        model.set_weights([0.1 * weight for weight in model.get_weights()])

    def listen(model, x_train, y_train, validation_data):
        taken["y"] = y_train

    ensembler = EnsemblerBase(conv_net(norm=False), uncertainty_fun=utils.logvar)
    ensembler.train(*data, 3, shrink, save_prefix=tmp_path / "m")
    assert ensembler.predict(data[0]).epistemic.mean() < -8
    Distiller(ensembler).distill_student(*data, conv_net(4), listen, save_prefix=tmp_path / "s")
    loss_of_a_network_that_answers_zero = np.mean(taken["y"] ** 2, axis=0)
    np.testing.assert_allclose(loss_of_a_network_that_answers_zero, 1, rtol=1e-4)


def test_b9_new_ensembles_are_empty(conv_net, data, tmp_path):
    EnsemblerBase(conv_net()).train(*data, 1, leave, save_prefix=tmp_path / "a")
    EnsemblerMixed([conv_net()]).train(*data, 1, leave, save_prefix=tmp_path / "b")
    assert EnsemblerBase(conv_net()).weight_paths == []
    assert EnsemblerMixed([conv_net()]).weight_paths == []


def test_b9b_a_mixed_ensemble_has_as_many_weights_as_members(conv_net, data, tmp_path, splits):
    ensembler = EnsemblerMixed([conv_net(), recurrent])
    ensembler.train(*data, 3, leave, save_prefix=tmp_path / "m")
    assert len(ensembler.model_funs) == 2
    assert ensembler.num_ensemble == len(ensembler.weight_paths) == 3
    again = EnsemblerMixed([conv_net(), recurrent], ensembler.weight_paths)
    x = splits.test.tokens
    np.testing.assert_array_equal(again.predict(x).members, ensembler.predict(x).members)


def test_b10_a_distiller_made_early_sees_every_member(conv_net, data, tmp_path):
    ensembler = EnsemblerBase(conv_net())
    distiller = Distiller(ensembler)
    ensembler.train(*data, 3, leave, save_prefix=tmp_path / "m")
    assert distiller.num_ensemble == 3
    assert len(distiller.eval_ensemble(*data).members) == 3


def test_b11_the_ensemble_predicts_once_and_in_the_batches_asked_for(conv_net, data, shift, tmp_path, monkeypatch):
    from degu.ensemble.group import Group

    sizes, together = [], Group.predict
    monkeypatch.setattr(Group, "predict", lambda *given: sizes.append(given[-1]) or together(*given))
    ensembler = EnsemblerBase(conv_net())
    ensembler.train(*data, 2, shift, save_prefix=tmp_path / "m")
    distiller, student = Distiller(ensembler), conv_net(4)()
    for _ in range(3):
        results = distiller.eval_student(*data, student, batch_size=11)
    assert sizes == [11]
    teaching, answer = distiller.pred_ensemble(data[0], 11), distiller.predict_student(data[0], student)
    np.testing.assert_allclose(results.agreement.mse, eval_regression(answer.mean, teaching.mean).mse, rtol=1e-5)


@pytest.mark.parametrize("val_target", ["measured", "ensemble"])
def test_b12_what_a_student_is_validated_against_is_a_choice(conv_net, data, shift, tmp_path, val_target):
    taken = {}

    def listen(model, x_train, y_train, validation_data):
        taken["valid"] = validation_data[1]

    ensembler = EnsemblerBase(conv_net())
    ensembler.train(*data, 2, shift, save_prefix=tmp_path / "m")
    distiller = Distiller(ensembler, val_target=val_target, standardize=False)
    distiller.distill_student(*data, conv_net(4), listen, data, save_prefix=tmp_path / "s")
    expected = data[1] if val_target == "measured" else ensembler.predict(data[0]).mean
    np.testing.assert_allclose(taken["valid"][:, :2], expected, rtol=1e-6)


def test_b24_sequences_of_weight_zero_teach_nothing(conv_net, data):
    model = conv_net(norm=False)()
    before = model.get_weights()
    train_standard_fun(model, *data, data, sample_weight=np.zeros(96), max_epochs=1)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_b25_folders_are_made_before_training(conv_net, data, tmp_path):
    def check(model, x_train, y_train, validation_data):
        assert (tmp_path / "not" / "there").is_dir()

    ensembler = EnsemblerBase(conv_net())
    ensembler.train(*data, 1, check, save_prefix=tmp_path / "not" / "there" / "m")
    assert (tmp_path / "not" / "there" / "m_0.weights.h5").is_file()


def test_b25_two_ensembles_do_not_mix_under_one_prefix(conv_net, data, tmp_path):
    EnsemblerBase(conv_net()).train(*data, 1, leave, save_prefix=tmp_path / "m")
    with pytest.raises(EnsembleError, match="existing one"):
        EnsemblerBase(conv_net()).train(*data, 2, leave, save_prefix=tmp_path / "m")


def test_b25_a_failure_does_not_lose_the_members_before_it(conv_net, data, tmp_path):
    def fails_once_there_is_one(model, x_train, y_train, validation_data):
        if list(tmp_path.glob("m_*")):
            raise RuntimeError("out of memory")

    ensembler = EnsemblerBase(conv_net())
    with pytest.raises(RuntimeError, match="out of memory"):
        ensembler.train(*data, 3, fails_once_there_is_one, save_prefix=tmp_path / "m")
    assert ensembler.weight_paths == [str(tmp_path / "m_0.weights.h5")]
    assert len(ensembler.predict(data[0]).members) == 1


def test_b26_f1_takes_probabilities():
    assert eval_classification([0.1, 0.8, 0.7, 0.3], [0, 1, 0, 1]).f1.item() == 0.5


def test_b26_constant_predictions_say_why_there_is_no_correlation():
    with pytest.warns(UndefinedMetricWarning, match="the predictions are constant"):
        assert np.isnan(eval_regression(np.ones(4), np.arange(4.0)).pearson_r[0])


def test_b28_uncertainty_does_not_grow_with_the_size_of_the_ensemble():
    draws = np.random.default_rng(0).normal(0, 2, size=(10, 20_000, 1))
    by_size = [utils.var(draws[:count], axis=0).mean() for count in (2, 5, 10)]
    np.testing.assert_allclose(by_size, 4, rtol=0.03)
    population = [Spread("var", ddof=0)(draws[:count]).mean() for count in (2, 5, 10)]
    np.testing.assert_allclose(population, [2, 3.2, 3.6], rtol=0.03)
