import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, utils
from degu.data import TargetScaler
from degu.distill import StudentColumns, student_targets
from degu.distill.targets import training_activity, validation_activity
from degu.ensemble import Prediction
from degu.errors import DataError
from degu.models.heads import Gaussian
from degu.train import train_standard_fun
from degu.train.batches import predict
from degu.uncertainty import Spread

RNG = np.random.default_rng(0)
MEAN, EPISTEMIC, ALEATORIC = RNG.normal(size=(3, 5, 2))
PREDICTION = Prediction(MEAN, EPISTEMIC, None, None)


@pytest.mark.parametrize("noisy", [(), (1,), (0, 1)])
def test_columns_are_means_then_noise_then_disagreement(noisy):
    columns = StudentColumns(2, noisy)
    prediction = PREDICTION._replace(aleatoric=ALEATORIC if noisy else None)
    targets = student_targets(columns, prediction, MEAN)
    assert targets.dtype == np.float32
    assert columns.total == targets.shape[1] == 4 + len(noisy)
    np.testing.assert_allclose(targets, np.hstack([MEAN, ALEATORIC[:, list(noisy)], EPISTEMIC]), rtol=1e-6)


@pytest.mark.parametrize("noisy", [(), (1,), (0, 1)])
def test_columns_are_split_as_they_were_joined(noisy):
    columns = StudentColumns(2, noisy)
    prediction = PREDICTION._replace(aleatoric=ALEATORIC if noisy else None)
    got = columns.split(student_targets(columns, prediction, MEAN))
    np.testing.assert_allclose(got.mean, MEAN, rtol=1e-6)
    np.testing.assert_allclose(got.epistemic, EPISTEMIC, rtol=1e-6)
    assert got.members is None
    if not noisy:
        assert got.aleatoric is None
        return
    for target in range(2):
        expected = ALEATORIC[:, target] if target in noisy else np.nan
        np.testing.assert_allclose(got.aleatoric[:, target], expected, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_share_of_the_measurement(alpha):
    measured = MEAN + 1
    measured[0, 1] = np.nan
    got = training_activity(PREDICTION, measured, alpha)
    np.testing.assert_allclose(got[1:], MEAN[1:] + alpha)
    assert got[0, 0] == pytest.approx(MEAN[0, 0] + alpha)
    assert got[0, 1] == MEAN[0, 1]


def test_what_the_means_are_validated_against():
    measured = MEAN + 1
    measured[2, 0] = np.nan
    np.testing.assert_array_equal(validation_activity(PREDICTION, measured, "measured"), measured)
    np.testing.assert_array_equal(validation_activity(PREDICTION, measured, "ensemble"), MEAN)


@pytest.mark.parametrize("val_target", ["measured", "ensemble"])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_training_and_validation_targets_of_a_student(
    teachers, conv_net, splits, x, y, listen, tmp_path, alpha, val_target
):
    train_fun, given = listen
    ensembler = teachers(uncertainty_fun=utils.logvar)
    distiller = Distiller(ensembler, val_target=val_target, alpha=alpha, standardize=False)
    valid = splits.valid.tokens, splits.valid.targets
    path, history = distiller.distill_student(x, y, conv_net(4), train_fun, valid, tmp_path / "student")
    assert (path, history) == (str(tmp_path / "student.weights.h5"), "history")
    teaching = ensembler.predict(x)
    activity = alpha * y + (1 - alpha) * teaching.mean
    np.testing.assert_allclose(given["y"], np.hstack([activity, teaching.epistemic]), rtol=1e-5, atol=1e-6)
    teaching = ensembler.predict(valid[0])
    activity = valid[1] if val_target == "measured" else teaching.mean
    np.testing.assert_allclose(given["valid"][1], np.hstack([activity, teaching.epistemic]), rtol=1e-5, atol=1e-6)
    assert given["x"] is x
    assert given["valid"][0] is valid[0]


def test_the_student_may_learn_another_spread_than_the_ensemble_reports(teachers, conv_net, x, y, listen, tmp_path):
    train_fun, given = listen
    ensembler = teachers(uncertainty_fun=utils.std)
    distiller = Distiller(ensembler, uncertainty_fun=Spread("var", ddof=0), standardize=False)
    distiller.distill_student(x, y, conv_net(4), train_fun, save_prefix=tmp_path / "student")
    members = ensembler.predict(x).members
    np.testing.assert_allclose(given["y"][:, 2:], members.var(axis=0), rtol=1e-4)
    np.testing.assert_allclose(distiller.pred_ensemble(x).uncertainty, members.var(axis=0), rtol=1e-4)


def test_no_column_drowns_another(teachers, conv_net, x, y, listen, tmp_path):
    train_fun, given = listen
    # log-variances near -14 beside activities near 1
    distiller = Distiller(teachers(uncertainty_fun=Spread("logvar", floor=1e-4)))
    raw = np.hstack(distiller.pred_ensemble(x)[:2])
    distiller.distill_student(x, y, conv_net(4), train_fun, save_prefix=tmp_path / "student")
    np.testing.assert_allclose(np.mean(given["y"] ** 2, axis=0), 1, rtol=1e-4)
    np.testing.assert_allclose(TargetScaler.fit(raw).inverse(given["y"]), raw, rtol=1e-3, atol=1e-3)


def test_teachers_with_noise_give_a_student_three_groups(teachers, splits, x, y, listen, tmp_path):
    def noisy():
        inputs = keras.Input((40, 4))
        return keras.Model(inputs, Gaussian("logvar")(keras.layers.GlobalMaxPooling1D()(inputs * 1.0), 2))

    def student():
        inputs = keras.Input((40, 4))
        return keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Flatten()(inputs)))

    train_fun, given = listen
    ensembler = teachers(noisy)
    distiller = Distiller(ensembler, standardize=False)
    assert distiller.columns == StudentColumns(2, aleatoric=(0, 1))
    distiller.distill_student(x, y, student, train_fun, save_prefix=tmp_path / "student")
    teaching = ensembler.predict(x)
    expected = np.hstack([teaching.mean, teaching.aleatoric, teaching.epistemic])
    np.testing.assert_allclose(given["y"], expected, rtol=1e-5, atol=1e-6)
    answer = distiller.predict_student(splits.test.tokens, given["model"])
    outputs = predict(given["model"], splits.test.tokens)
    np.testing.assert_array_equal(np.hstack([answer.mean, answer.aleatoric, answer.epistemic]), outputs)


def test_members_that_agree_leave_the_loss_finite(teachers, conv_net, x, y, tmp_path):
    ensembler = teachers(num_ensemble=1, uncertainty_fun=utils.logvar)
    twins = EnsemblerBase(ensembler.base_model, ensembler.weight_paths * 2, uncertainty_fun=utils.logvar)
    assert np.isfinite(twins.predict(x).epistemic).all()
    arguments = {"max_epochs": 1, "save_prefix": tmp_path / "student"}
    _, history = Distiller(twins, standardize=False).distill_student(x, y, conv_net(4), train_standard_fun, **arguments)
    assert np.isfinite(history.history["loss"]).all()
    with pytest.raises(DataError, match="expected values that differ"):
        Distiller(twins).distill_student(x, y, conv_net(4), train_standard_fun, save_prefix=tmp_path / "another")
