"""Faults of earlier code for training with augmentation and for live teachers; the numbers are those of METHOD B.

The networks are affine maps of the sequence, so NumPy knows every loss and every step of gradient descent.
"""

import evoaug_tf.augment as theirs
import keras
import numpy as np
import pytest
import tensorflow as tf

from degu import Distiller, EnsemblerBase, EnsemblerDynamic, utils
from degu.augment import RandomInsertion, RandomNoise, RandomReverseComplement
from degu.data.encoding import one_hot
from degu.data.scaling import TargetScaler
from degu.distill import student_targets
from degu.distill.live import LiveTeaching
from degu.errors import ConfigError
from degu.train import train_dynamic_aug_fun, train_standard_fun

FLIP = [RandomReverseComplement(1.0)]
"""Augmentation without chance: flipping both axes of one-hot DNA gives the reverse complement."""


class Watch(keras.callbacks.Callback):
    """Keeps the weights at the start of every stage and at the end of every epoch, and what the stage ran with."""

    def __init__(self):
        super().__init__()
        self.starts, self.ends, self.optimizers, self.models = [], [], [], []

    def on_train_begin(self, logs=None):
        self.models.append(self.model)
        self.starts.append(self.weights())
        self.optimizers.append((type(self.model.optimizer), float(self.model.optimizer.learning_rate)))

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(self.weights())

    def weights(self):
        return [value.copy() for value in self.model.get_weights()]


def affine(num_outputs=2):
    initial = keras.initializers.GlorotUniform(seed=0)
    inputs = keras.Input((40, 4))
    flat = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_outputs, kernel_initializer=initial)(flat))


def plain(tokens):
    return one_hot(tokens).reshape(len(tokens), -1).astype(float)


def flipped(tokens):
    return one_hot(tokens)[:, ::-1, ::-1].reshape(len(tokens), -1).astype(float)


def residual(weights, features, y):
    kernel, bias = weights
    return features @ kernel + bias - y


def mse(weights, features, y):
    return np.mean(residual(weights, features, y) ** 2)


def step(weights, features, y, learning_rate):
    """One step of gradient descent on the mean squared error."""
    error = 2 * residual(weights, features, y) / y.size
    return [weights[0] - learning_rate * features.T @ error, weights[1] - learning_rate * error.sum(axis=0)]


def assert_close(weights, expected):
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.fixture
def x(splits):
    return splits.train.tokens


@pytest.fixture
def y(splits):
    return splits.train.targets


@pytest.fixture
def valid(splits):
    return splits.valid.tokens, splits.valid.targets


@pytest.fixture
def teachers(x, y, shift, tmp_path):
    """Return a function that makes an ensemble of three affine maps, without training."""

    def make(base=affine, uncertainty_fun=utils.std):
        ensembler = EnsemblerBase(base, uncertainty_fun=uncertainty_fun)
        ensembler.train(x, y, 3, shift, save_prefix=tmp_path / "m")
        return ensembler

    return make


def free():
    """An affine map without a fixed seed, which members may start from."""
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


def fit(model, x, y, valid, augment_list=FLIP, **changes):
    arguments = {"max_epochs": 3, "finetune_epochs": 2, "batch_size": 96, "initial_lr": 0.02, "finetune_lr": 0.01}
    return train_dynamic_aug_fun(model, x, y, valid, augment_list, **{**arguments, "seed": 0, **changes}).history


def test_b02_logged_losses_are_the_losses_in_both_stages(x, y, valid):
    watch = Watch()
    history = fit(affine(), x, y, valid, callbacks=[watch])
    before = [watch.starts[0], *watch.ends[:2], watch.starts[1], watch.ends[3]]
    features = [flipped(x)] * 3 + [plain(x)] * 2
    expected = [mse(weights, seen, y) for weights, seen in zip(before, features, strict=True)]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)
    expected = [mse(weights, plain(valid[0]), valid[1]) for weights in watch.ends]
    np.testing.assert_allclose(history["val_loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("append", [False, True], ids=["replace", "append"])
def test_b02b_logged_losses_are_the_losses_with_live_teachers(teachers, x, y, valid, tmp_path, append):
    distiller, watch = Distiller(teachers(free)), Watch()
    _, history = distiller.distill_student_dynamic(
        *(x, y, affine(4), train_standard_fun, valid, tmp_path / "s"),
        **{"augment_list": FLIP, "append": append, "finetune": {"max_epochs": 1}, "callbacks": [watch]},
        **{"max_epochs": 2, "batch_size": 96, "initial_lr": 0.02, "metrics": ["mae"]},
    )

    def targets(rows, measured=None):
        prediction = distiller.ensembler.predict(rows.reshape(-1, 40, 4).astype("float32"))
        return student_targets(distiller.columns, prediction, prediction.mean if measured is None else measured)

    scaler = TargetScaler.fit(targets(plain(x)))
    seen = np.concatenate([plain(x), flipped(x)]) if append else flipped(x)
    before = [watch.starts[0], watch.ends[0], watch.starts[1]]
    errors = [
        residual(weights, rows, scaler.transform(targets(rows)))
        for weights, rows in zip(before, [seen, seen, plain(x)], strict=True)
    ]
    np.testing.assert_allclose(history.history["loss"], [np.mean(error**2) for error in errors], rtol=1e-3)
    np.testing.assert_allclose(history.history["mae"], [np.mean(np.abs(error)) for error in errors], rtol=1e-3)
    wanted = scaler.transform(targets(plain(valid[0]), valid[1]))
    expected = [mse(weights, plain(valid[0]), wanted) for weights in watch.ends]
    np.testing.assert_allclose(history.history["val_loss"], expected, rtol=1e-3)


def test_b03_the_augmentation_of_a_dynamic_ensemble_reaches_its_recipe(x, y, valid, tmp_path):
    given = []

    def listen(model, x_train, y_train, validation_data, augment_list, max_augs_per_seq, hard_aug, per):
        given.append((augment_list, max_augs_per_seq, hard_aug, per))

    augment_list = [RandomNoise(), theirs.RandomMutation(0.1)]
    EnsemblerDynamic(free).train(
        *(x, y, 2, listen, valid, tmp_path / "m", augment_list), max_augs_per_seq=3, hard_aug=False, per="batch"
    )
    assert given == [(augment_list, 3, False, "batch")] * 2


def test_b05_live_teachers_are_networks_of_their_own(teachers, x, y, tmp_path):
    base = free()
    ensembler = teachers(base)
    before = base.get_weights()
    scaler = TargetScaler.identity(4)
    live = LiveTeaching(base, ensembler.load_members(), RandomNoise(), ensembler.uncertainty_fun, scaler)
    rows = one_hot(x)
    labels = keras.ops.convert_to_numpy(live(rows, training=True))[:, 2:]
    assert labels.shape == (96, 4)
    Distiller(ensembler).distill_student_dynamic(
        *(x, y, affine(4), train_standard_fun, None, tmp_path / "s"), max_epochs=1, augment_list=FLIP
    )
    for a, b in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_b05_the_step_holds_no_copies_of_the_teachers(teachers):
    ensembler = teachers(free)
    live = LiveTeaching(
        affine(4), ensembler.load_members(), RandomNoise(), ensembler.uncertainty_fun, TargetScaler.identity(4)
    )
    traced = tf.function(live.teach, autograph=False)
    operations = traced.get_concrete_function(tf.TensorSpec((None, 40, 4), "float32")).graph.get_operations()
    assert not [operation.name for operation in operations if operation.type == "AssignVariableOp"]
    constants = [operation.outputs[0].shape.num_elements() for operation in operations if operation.type == "Const"]
    assert max(constants) < 40 * 4


def test_b06_the_second_stage_steps_with_its_own_rate_on_sequences_as_they_are(x, y, valid):
    watch = Watch()
    fit(affine(), x, y, valid, max_epochs=1, finetune_epochs=1, optimizer=keras.optimizers.SGD, callbacks=[watch])
    assert_close(watch.ends[0], step(watch.starts[0], flipped(x), y, 0.02))
    assert_close(watch.ends[1], step(watch.ends[0], plain(x), y, 0.01))


def test_b06b_a_model_trained_before_forgets_the_augmentation_of_that_time(x, y, valid):
    model, watch = affine(), Watch()
    brief = {"max_epochs": 1, "finetune_epochs": 0, "optimizer": keras.optimizers.SGD, "callbacks": [watch]}
    for augment_list, features in ((FLIP, flipped(x)), ([], plain(x)), (FLIP, flipped(x))):
        fit(model, x, y, valid, augment_list, **brief)
        assert_close(watch.ends[-1], step(watch.starts[-1], features, y, 0.02))


def test_b06c_loss_rate_and_optimizer_reach_both_stages(x, y, valid):
    watch, loss = Watch(), keras.losses.MeanAbsoluteError()
    history = fit(
        affine(), x, y, valid, max_epochs=1, finetune_epochs=1,
        loss=loss, optimizer=keras.optimizers.Nadam, callbacks=[watch],
    )  # fmt: skip
    starts = zip(watch.starts, (flipped(x), plain(x)), strict=True)
    expected = [np.mean(np.abs(residual(weights, features, y))) for weights, features in starts]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)
    assert [kind for kind, _ in watch.optimizers] == [keras.optimizers.Nadam] * 2
    assert [rate for _, rate in watch.optimizers] == pytest.approx([0.02, 0.01], rel=1e-6)


def test_b08_live_log_variances_do_not_drown_the_activity(x, y, tmp_path):
    def shrink(model, x_train, y_train, validation_data):
        model.set_weights([0.01 * weight for weight in model.get_weights()])

    class Stop(Exception):
        pass

    def catch(model, x_train, y_train, validation_data):
        raise Stop(keras.ops.convert_to_numpy(model(one_hot(x), training=True))[:, 4:])

    ensembler = EnsemblerBase(free, uncertainty_fun=utils.logvar)
    ensembler.train(x, y, 3, shrink, save_prefix=tmp_path / "m")
    assert ensembler.predict(x).epistemic.mean() < -8
    with pytest.raises(Stop) as caught:
        Distiller(ensembler).distill_student_dynamic(x, y, affine(4), catch, save_prefix=tmp_path / "s")
    loss_of_a_network_that_answers_zero = np.mean(caught.value.args[0] ** 2, axis=0)
    np.testing.assert_allclose(loss_of_a_network_that_answers_zero, 1, rtol=1e-2)


@pytest.mark.parametrize("kind", ["augmented", "live"])
def test_b19_checkpoints_can_be_written_and_read_in_the_first_stage(teachers, x, y, valid, tmp_path, kind):
    """The weights of an epoch come back, and a model file holds a model that answers like the one in training."""
    names = [str(tmp_path / "{epoch}.weights.h5"), str(tmp_path / "{epoch}.keras")]
    watch, network = Watch(), affine(4 if kind == "live" else 2)
    callbacks = [watch] + [
        keras.callbacks.ModelCheckpoint(name, save_weights_only=name.endswith("h5")) for name in names
    ]
    if kind == "augmented":
        fit(network, x, y, valid, max_epochs=2, finetune_epochs=0, callbacks=callbacks)
    else:
        Distiller(teachers(free), standardize=False).distill_student_dynamic(
            *(x, y, network, train_standard_fun, valid, tmp_path / "s"),
            **{"augment_list": FLIP, "max_epochs": 2, "callbacks": callbacks},
        )
    for epoch, weights in enumerate(watch.ends, start=1):
        watch.models[0].load_weights(names[0].format(epoch=epoch))
        assert_close(network.get_weights(), weights)
        read = keras.models.load_model(names[1].format(epoch=epoch))
        expected = plain(valid[0]) @ weights[0] + weights[1]
        np.testing.assert_allclose(read.predict(one_hot(valid[0]), verbose=0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "insertion",
    [RandomInsertion(1, 5, keep_length=False), theirs.RandomInsertion(1, 5)],
    ids=["degu", "evoaug_tf"],
)
def test_b20_augmentation_that_would_lengthen_sequences_is_refused(x, y, valid, insertion):
    model = affine()
    before = model.get_weights()
    with pytest.raises(ConfigError, match=r"adds 5 bases. Use degu.augment.RandomInsertion \(keep_length=True\)"):
        fit(model, x, y, valid, [RandomNoise(), insertion])
    assert_close(model.get_weights(), before)
    assert not model.compiled


def test_b21_a_model_trained_with_insertions_answers_twice_alike(x, y, valid):
    model = affine()
    fit(model, x, y, valid, [RandomInsertion(1, 5)], max_epochs=1, finetune_epochs=0)
    answers = [model.predict(one_hot(x), verbose=0) for _ in range(2)]
    np.testing.assert_array_equal(*answers)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(answers[0], plain(x) @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_b24_sequences_of_weight_zero_teach_nothing_in_both_stages(x, y, valid):
    model = affine()
    before = model.get_weights()
    history = fit(model, x, y, valid, max_epochs=1, finetune_epochs=1, sample_weight=np.zeros(96))
    assert_close(model.get_weights(), before)
    assert history["loss"] == [0.0, 0.0]


@pytest.mark.parametrize("append", [False, True], ids=["replace", "append"])
def test_b24_sequences_of_weight_zero_teach_nothing_with_live_teachers(teachers, x, y, tmp_path, append):
    student = affine(4)
    before = student.get_weights()
    Distiller(teachers(free), standardize=False).distill_student_dynamic(
        *(x, y, student, train_standard_fun, None, tmp_path / "s"),
        **{"augment_list": FLIP, "append": append, "max_epochs": 1, "sample_weight": np.zeros(96)},
    )
    for a, b in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
