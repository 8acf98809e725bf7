"""Teachers that know the noise of some targets, from measurements with holes to the student's columns."""

import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, utils
from degu.data import Split, Splits
from degu.distill import StudentColumns
from degu.losses import MaskedMSE
from degu.models import small_cnn
from degu.models.heads import LINEAR, Gaussian, Replicates
from degu.train import train_standard_fun
from degu.train.batches import predict

RECIPE = {"loss": MaskedMSE(), "max_epochs": 2, "batch_size": 32}
HEAD = Replicates((1,))


@pytest.fixture
def holes(splits):
    """Two targets, each missing in a third of the rows; noise of the second alone, unknown in every fourth row."""

    def with_holes(split):
        rows = np.arange(len(split))
        targets = split.targets.copy()
        targets[rows % 3 == 0, 0] = np.nan
        targets[rows % 3 == 1, 1] = np.nan
        std = np.full_like(targets, np.nan)
        std[:, 1] = 0.2 + np.abs(targets[:, 1])
        std[rows % 4 == 0, 1] = np.nan
        return Split(split.tokens, targets, split.ids, std)

    parts = {name: with_holes(split) for name, split in splits.items()}
    return Splits(**parts, target_names=("a", "b"), source="holes")


def net(num_outputs, head=LINEAR):
    return lambda: small_cnn((40, 4), num_outputs, filters=(4,), kernel_size=5, dense=4, dropout=0.0, head=head)


@pytest.fixture
def teachers(holes, tmp_path):
    ensembler = EnsemblerBase(net(2, HEAD), uncertainty_fun=utils.std)
    learnt, valid = (HEAD.targets(split, holes.target_names) for split in (holes.train, holes.valid))
    histories = ensembler.train(
        holes.train.tokens,
        learnt,
        2,
        train_standard_fun,
        (holes.valid.tokens, valid),
        tmp_path / "m",
        standardize=True,
        **RECIPE,
    )
    assert np.isfinite([history.history["val_loss"] for history in histories]).all()
    return ensembler


def test_members_speak_the_units_of_every_column(teachers, holes):
    prediction = teachers.predict(holes.test.tokens)
    assert teachers.num_targets == 2
    assert teachers.aleatoric_targets == (1,)
    assert np.isnan(prediction.aleatoric[:, 0]).all()
    outputs = teachers.predict_members(holes.test.tokens)
    np.testing.assert_allclose(prediction.mean, outputs[..., :2].mean(axis=0), rtol=1e-5, atol=1e-6)
    noise = np.sqrt(np.mean(np.maximum(outputs[..., 2], 1e-6) ** 2, axis=0))
    np.testing.assert_allclose(prediction.aleatoric[:, 1], noise, rtol=1e-5)
    assert [member.units for member in teachers.members] == [None, None], "the units are folded into the weights"


def test_no_hole_reaches_what_a_student_is_trained_on(teachers, holes, listen, tmp_path):
    train_fun, given = listen
    valid = holes.valid.tokens, holes.valid.targets
    distiller = Distiller(teachers, alpha=0.5, standardize=False)
    assert distiller.columns == StudentColumns(2, (1,))
    distiller.distill_student(holes.train.tokens, holes.train.targets, net(5), train_fun, valid, tmp_path / "s")
    teaching = teachers.predict(holes.train.tokens)
    measured = holes.train.targets
    activity = np.where(np.isnan(measured), teaching.mean, 0.5 * np.nan_to_num(measured) + 0.5 * teaching.mean)
    expected = np.hstack([activity, teaching.aleatoric[:, [1]], teaching.epistemic])
    np.testing.assert_allclose(given["y"], expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(given["y"]).all()
    np.testing.assert_array_equal(given["valid"][1][:, :2], holes.valid.targets)
    assert np.isfinite(given["valid"][1][:, 2:]).all()


def test_a_trained_student_has_the_same_columns_as_its_teachers(teachers, holes, tmp_path):
    distiller = Distiller(teachers)
    valid = holes.valid.tokens, holes.valid.targets
    student = net(5)()
    _, history = distiller.distill_student(
        holes.train.tokens, holes.train.targets, student, train_standard_fun, valid, tmp_path / "s", **RECIPE
    )
    assert np.isfinite([*history.history["loss"], *history.history["val_loss"]]).all()
    answer, outputs = distiller.predict_student(holes.test.tokens, student), predict(student, holes.test.tokens)
    np.testing.assert_allclose(answer.mean, outputs[:, :2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer.aleatoric[:, 1], outputs[:, 2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer.epistemic, outputs[:, 3:], rtol=1e-5, atol=1e-6)
    assert np.isnan(answer.aleatoric[:, 0]).all()


@pytest.mark.parametrize("head", [HEAD, Gaussian("logvar")], ids=str)
def test_live_teachers_give_the_columns_that_fixed_targets_have(head, splits, shift, tmp_path):
    from degu.augment import RandomReverseComplement
    from degu.data import TargetScaler
    from degu.data.encoding import one_hot
    from degu.distill import student_targets
    from degu.distill.live import LiveTeaching
    from degu.uncertainty import Spread

    ensembler = EnsemblerBase(net(2, head), uncertainty_fun=Spread("var"))
    ensembler.train(splits.train.tokens, splits.train.targets, 3, shift, save_prefix=tmp_path / "m")
    columns = Distiller(ensembler).columns
    live = LiveTeaching(
        net(columns.total)(),
        ensembler.load_members(),
        RandomReverseComplement(0.0),
        ensembler.uncertainty_fun,
        TargetScaler.identity(columns.total),
    )
    taught = keras.ops.convert_to_numpy(live.teach(one_hot(splits.test.tokens)))
    prediction = ensembler.predict(splits.test.tokens)
    assert np.isfinite(taught).all()
    np.testing.assert_allclose(taught, student_targets(columns, prediction, prediction.mean), rtol=1e-3, atol=1e-5)
