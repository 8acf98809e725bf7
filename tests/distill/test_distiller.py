import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, utils
from degu.data import TargetScaler
from degu.errors import ConfigError, EnsembleError
from degu.metrics import eval_regression
from degu.seeds import derive_seed
from degu.train import train_standard_fun
from degu.train.batches import predict


def test_members_that_come_later_are_seen(conv_net, x, y, shift, tmp_path):
    ensembler = EnsemblerBase(conv_net())
    distiller = Distiller(ensembler)
    assert distiller.num_ensemble == 0
    with pytest.raises(EnsembleError, match="Received: none. Train it"):
        distiller.pred_ensemble(x)
    ensembler.train(x, y, 3, shift, save_prefix=tmp_path / "m")
    assert distiller.num_ensemble == 3
    mean, uncertainty, members = distiller.pred_ensemble(x)
    assert members.shape == (3, 96, 2)
    ensemble_results, member_results = distiller.eval_ensemble(x, y)
    assert len(member_results) == 3
    np.testing.assert_allclose(ensemble_results.mse, np.mean((mean - y) ** 2, axis=0), rtol=1e-5)
    np.testing.assert_allclose(uncertainty, np.log(members.var(axis=0, ddof=1)), rtol=1e-3)


def test_the_ensemble_predicts_once_in_the_batches_asked_for(
    teachers, conv_net, splits, x, y, listen, tmp_path, counted
):
    train_fun, given = listen
    distiller = Distiller(teachers())
    valid = splits.valid.tokens, splits.valid.targets
    distiller.distill_student(x, y, conv_net(4), train_fun, valid, tmp_path / "student", 16)
    assert counted == [(3, 96, 16), (3, 40, 16)]
    for _ in range(2):
        distiller.eval_student(*valid, given["model"], batch_size=16)
        distiller.pred_ensemble(x, 16)
    assert len(counted) == 2
    distiller.eval_student(splits.test.tokens, splits.test.targets, given["model"], batch_size=9)
    assert counted[2:] == [(3, 40, 9)]


def test_the_batch_size_of_the_teachers_is_not_that_of_training(teachers, conv_net, x, y, tmp_path, counted):
    taken = []

    def train_fun(model, x_train, y_train, validation_data, batch_size=100):
        taken.append(batch_size)

    Distiller(teachers()).distill_student(x, y, conv_net(4), train_fun, save_prefix=tmp_path / "s", batch_size=7)
    assert taken == [100]
    assert {size for *_, size in counted} == {7}


def test_the_student_speaks_the_units_of_its_targets(teachers, conv_net, x, y, listen, tmp_path):
    train_fun, _ = listen
    distiller = Distiller(teachers(uncertainty_fun=utils.std))
    student = conv_net(4)()
    standardised = predict(student, x)
    distiller.distill_student(x, y, student, train_fun, save_prefix=tmp_path / "student")
    mean, uncertainty, _ = distiller.pred_ensemble(x)
    scaler = TargetScaler.fit(np.hstack([mean, uncertainty]))
    answer = distiller.predict_student(x, student)
    np.testing.assert_allclose(
        np.hstack([answer.mean, answer.epistemic]), scaler.inverse(standardised), rtol=1e-4, atol=1e-6
    )


def test_saved_student_answers_like_the_one_in_memory(teachers, conv_net, x, y, tmp_path):
    distiller = Distiller(teachers())
    student = conv_net(4)()
    path, history = distiller.distill_student(
        x, y, student, train_standard_fun, (x, y), tmp_path / "new" / "student", max_epochs=2
    )
    assert len(history.history["val_loss"]) == 2
    reloaded = conv_net(4)()
    reloaded.load_weights(path)
    np.testing.assert_array_equal(predict(reloaded, x), predict(student, x))


def test_evaluation_of_a_student_in_three_comparisons(teachers, conv_net, splits):
    distiller = Distiller(teachers())
    x, y = splits.test.tokens, splits.test.targets
    student = conv_net(4)()
    outputs = predict(student, x)
    teaching = distiller.pred_ensemble(x)
    activity, uncertainty, agreement = distiller.eval_student(x, y, student, eval_regression)
    expected = ((outputs[:, :2], y), (outputs[:, 2:], teaching.uncertainty), (outputs[:, :2], teaching.mean))
    for got, pair in zip((activity, uncertainty, agreement), expected, strict=True):
        np.testing.assert_allclose(np.array(got), np.array(eval_regression(*pair)), rtol=1e-5)


@pytest.mark.parametrize("outputs", [2, 3, 6])
def test_a_student_with_other_outputs_is_refused_before_anything_runs(
    teachers, conv_net, x, y, tmp_path, outputs, counted
):
    distiller = Distiller(teachers())
    with pytest.raises(EnsembleError, match=rf"4 outputs \(2 means, 0 aleatoric, 2 epistemic\). Received: {outputs}"):
        distiller.distill_student(x, y, conv_net(outputs), train_standard_fun, save_prefix=tmp_path / "s")
    assert not counted


def test_a_student_that_cannot_take_in_units_is_refused(teachers, conv_net, x, y, listen, tmp_path):
    train_fun, _ = listen
    teachers = teachers()
    with pytest.raises(EnsembleError, match="ends in a linear Dense layer .*standardize=False"):
        Distiller(teachers).distill_student(x, y, conv_net(4, activation="tanh"), train_fun, save_prefix=tmp_path / "s")
    Distiller(teachers, standardize=False).distill_student(
        x, y, conv_net(4, activation="tanh"), train_fun, save_prefix=tmp_path / "s"
    )


def test_mistakes_are_found_before_the_ensemble_predicts(teachers, conv_net, x, y, tmp_path, counted):
    distiller = Distiller(teachers())
    with pytest.raises(ConfigError, match="no argument 'epochs'. Did you mean 'max_epochs'"):
        distiller.distill_student(x, y, conv_net(4), train_standard_fun, save_prefix=tmp_path / "s", epochs=2)
    (tmp_path / "s.weights.h5").touch()
    with pytest.raises(EnsembleError, match="existing one"):
        distiller.distill_student(x, y, conv_net(4), train_standard_fun, save_prefix=tmp_path / "s")
    assert not counted


def test_a_model_is_trained_in_place_and_a_builder_gives_a_seeded_one(teachers, conv_net, x, y, listen, tmp_path):
    train_fun, given = listen
    distiller = Distiller(teachers(), standardize=False)
    student = conv_net(4)()
    distiller.distill_student(x, y, student, train_fun, save_prefix=tmp_path / "a")
    assert given["model"] is student
    distiller.distill_student(x, y, conv_net(4), train_fun, save_prefix=tmp_path / "b", seed=5)
    built = distiller.new_student(conv_net(4), 5).get_weights()
    assert given["seed"] == derive_seed(5, "student")
    assert all(np.array_equal(a, b) for a, b in zip(built, given["model"].get_weights(), strict=True))
    other = distiller.new_student(conv_net(4), 6).get_weights()
    assert not np.array_equal(built[0], other[0])
    assert given["seed"] not in {member.seed for member in distiller.ensembler.members}


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_seeds_give_equal_students(teachers, conv_net, x, y, tmp_path, seed):
    distiller = Distiller(teachers())
    files = []
    for name in "ab":
        arguments = {"max_epochs": 2, "seed": seed, "save_prefix": tmp_path / name}
        distiller.distill_student(x, y, conv_net(4, dropout=0.3), train_standard_fun, **arguments)
        student = conv_net(4)()
        student.load_weights(tmp_path / f"{name}.weights.h5")
        files.append(predict(student, x))
    np.testing.assert_array_equal(*files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val_target": "mean"}, "'measured', 'ensemble'.* Received: 'mean'"),
        ({"alpha": 1.5}, r"alpha in \[0, 1\]. Received: alpha=1.5"),
        ({"alpha": float("nan")}, "Received: alpha=nan"),
    ],
)
def test_arguments_out_of_range_are_refused(conv_net, arguments, message):
    with pytest.raises(ValueError, match=message):
        Distiller(EnsemblerBase(conv_net()), **arguments)
