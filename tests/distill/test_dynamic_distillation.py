"""Dynamic distillation: the ensemble labels the augmented batch in the step, then the student is fine-tuned."""

import functools
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, EnsemblerDynamic, EnsemblerMixed, utils
from degu.augment import RandomInsertion, RandomMutation, RandomReverseComplement
from degu.data.encoding import one_hot
from degu.data.scaling import TargetScaler
from degu.distill import student_targets
from degu.distill.live import LiveTeaching
from degu.errors import ConfigError, EnsembleError
from degu.models import small_cnn
from degu.models.heads import LINEAR, Gaussian, Replicates
from degu.train import train_dynamic_aug_fun, train_standard_fun
from degu.train.batches import predict
from degu.train.weights import load_weights
from degu.uncertainty import Spread

FLIP = [RandomReverseComplement(1.0)]


def flipped(x):
    return one_hot(x)[:, ::-1, ::-1]


def answer(model, rows, **arguments):
    return keras.ops.convert_to_numpy(model(rows, **arguments))


def net(num_outputs=2, head=LINEAR):
    return lambda: small_cnn((40, 4), num_outputs, filters=(4,), kernel_size=5, dense=4, dropout=0.2, head=head)


def dense(num_outputs=2):
    inputs = keras.Input((40, 4))
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(keras.layers.Flatten()(inputs)))


@pytest.fixture
def stages():
    """A training function that trains nothing, and what it was given in each stage."""
    given = []

    def train_fun(
        model, x_train, y_train, validation_data=None, *, seed, initial_epoch=0, max_epochs=1, callbacks=(), alert=None
    ):
        given.append(SimpleNamespace(**locals()))
        history = keras.callbacks.History()
        history.epoch, history.history = [initial_epoch], {"loss": [0.0]}
        return history

    return train_fun, given


@pytest.fixture
def live(x, y, stages, tmp_path):
    """Return a function that gives the model of the first stage, in which the ensemble teaches."""
    train_fun, given = stages

    def make(distiller, augment_list=(), **changes):
        student = net(distiller.columns.total)()
        distiller.distill_student_dynamic(
            x, y, student, train_fun, save_prefix=tmp_path / "s", augment_list=augment_list, overwrite=True, **changes
        )
        return given[-1].model

    return make


def nudge(model, x_train, y_train, validation_data=None, seed=None):
    """A training function without training: it adds a number drawn from the seed to the last bias."""
    *rest, bias = model.get_weights()
    model.set_weights([*rest, bias + np.random.default_rng(seed).normal(size=bias.shape)])


def augmenting_nudge(*data, augment_list, max_augs_per_seq, hard_aug, per, seed):
    nudge(*data, seed=seed)


MAKERS = {
    "std": lambda: EnsemblerBase(net(), uncertainty_fun=utils.std),
    "var, ddof 0": lambda: EnsemblerBase(net(), uncertainty_fun=Spread("var", ddof=0)),
    "logvar": lambda: EnsemblerBase(net(), uncertainty_fun=utils.logvar),
    "mixed": lambda: EnsemblerMixed([net(), dense], uncertainty_fun=utils.logvar),
    "dynamic": lambda: EnsemblerDynamic(net(), uncertainty_fun=utils.std),
    "gaussian": lambda: EnsemblerBase(net(head=Gaussian("logvar")), uncertainty_fun=utils.std),
    "one target with noise": lambda: EnsemblerBase(net(head=Replicates((1,))), uncertainty_fun=utils.std),
}


@pytest.fixture(scope="module")
def ensembles(splits, tmp_path_factory):
    """Return a function that gives an ensemble of three of a kind; tests share it and change nothing in it."""

    @functools.cache
    def of(kind="std"):
        ensembler = MAKERS[kind]()
        recipe = augmenting_nudge if kind == "dynamic" else nudge
        folder = tmp_path_factory.mktemp("teachers")
        ensembler.train(splits.train.tokens, splits.train.targets, 3, recipe, save_prefix=folder / "m")
        return ensembler

    return of


@pytest.mark.parametrize("kind", MAKERS)
def test_live_labels_are_what_the_ensemble_predicts_of_the_batch(ensembles, live, x, kind):
    distiller = Distiller(ensembles(kind), standardize=False)
    width, rows = distiller.columns.total, one_hot(x[:7])
    outputs = answer(live(distiller, FLIP), rows, training=True)
    assert outputs.shape == (7, 2 * width)
    mean, uncertainty, _ = distiller.pred_ensemble(flipped(x[:7]))
    np.testing.assert_allclose(outputs[:, width : width + 2], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs[:, -2:], uncertainty, rtol=1e-3, atol=1e-4)
    aleatoric = distiller.ensembler.predict(flipped(x[:7])).aleatoric
    if aleatoric is not None:
        expected = aleatoric[:, list(distiller.ensembler.aleatoric_targets)]
        np.testing.assert_allclose(outputs[:, width + 2 : -2], expected, rtol=1e-4)


def test_live_labels_are_standardised_like_the_fixed_ones(ensembles, live, stages, x):
    distiller = Distiller(ensembles("logvar"))
    outputs = answer(live(distiller, FLIP), one_hot(x[:7]), training=True)
    prediction = distiller.ensembler.predict(x)
    fixed = student_targets(distiller.columns, prediction, prediction.mean)
    scaler = TargetScaler.fit(fixed)
    np.testing.assert_allclose(stages[1][0].y_train, scaler.transform(fixed), rtol=1e-4, atol=1e-5)
    prediction = distiller.ensembler.predict(flipped(x[:7]))
    seen = student_targets(distiller.columns, prediction, prediction.mean)
    np.testing.assert_allclose(outputs[:, 4:], scaler.transform(seen), rtol=1e-3, atol=1e-3)


def test_the_uncertainty_function_of_the_distiller_counts(ensembles, live, x):
    ensembler = ensembles()
    outputs = answer(live(Distiller(ensembler, utils.logvar, standardize=False)), one_hot(x[:7]), training=True)
    np.testing.assert_allclose(outputs[:, -2:], 2 * np.log(ensembler.predict(x[:7]).epistemic), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("append", [False, True], ids=["replace", "append"])
def test_rows_of_a_batch(ensembles, live, x, append):
    distiller, rows = Distiller(ensembles(), standardize=False), one_hot(x[:7])
    model = live(distiller, FLIP, append=append)
    model.student.layers[-2].rate = 0.0
    seen = np.concatenate([rows, flipped(x[:7])]) if append else flipped(x[:7])
    outputs = answer(model, rows, training=True)
    assert outputs.shape == (14 if append else 7, 8)
    np.testing.assert_allclose(outputs[:, 4:6], distiller.pred_ensemble(seen).mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs[:, :4], answer(model.student, seen, training=True), rtol=1e-4, atol=1e-5)


def test_outside_training_it_is_the_student(ensembles, live, x):
    model = live(Distiller(ensembles()), FLIP, append=True)
    rows = one_hot(x[:7])
    for arguments in ({}, {"training": False}):
        np.testing.assert_array_equal(answer(model, rows, **arguments), answer(model.student, rows, training=False))


def test_teachers_neither_learn_nor_change(ensembles, x, y, tmp_path, monkeypatch):
    """Their dropout is off and their batch statistics stand still, while everything in the student moves."""
    ensembler = ensembles()
    networks, files = ensembler.load_members(), [Path(path).read_bytes() for path in ensembler.weight_paths]
    before = [network.get_weights() for network in networks]
    monkeypatch.setattr(ensembler, "load_members", lambda: networks)
    student = net(4)()
    start = student.get_weights()
    Distiller(ensembler).distill_student_dynamic(
        *(x, y, student, train_standard_fun, None, tmp_path / "s"), max_epochs=1, augment_list=FLIP
    )
    for network, weights in zip(networks, before, strict=True):
        for a, b in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
    assert [Path(path).read_bytes() for path in ensembler.weight_paths] == files
    assert not any(np.array_equal(a, b) for a, b in zip(student.get_weights(), start, strict=True))


def test_teachers_are_no_part_of_the_model(ensembles, live):
    model = live(Distiller(ensembles()))
    assert len(model.weights) == len(model.student.weights)
    assert len(model.trainable_variables) == len(model.student.trainable_variables)


def test_the_second_stage_has_fixed_targets_and_arguments_of_its_own(ensembles, stages, x, y, tmp_path):
    train_fun, given = stages
    distiller, student = Distiller(ensembles(), alpha=0.5), net(4)()
    path, history = distiller.distill_student_dynamic(
        *(x, y, student, train_fun, (x[:9], y[:9]), tmp_path / "s"),
        augment_list=FLIP,
        finetune={"max_epochs": 7},
        max_epochs=3,
        alert="all",
    )
    first, second = given
    assert isinstance(first.model, LiveTeaching)
    assert first.model.student is second.model is student
    assert (first.max_epochs, second.max_epochs, first.alert, second.alert) == (3, 7, "all", "all")
    assert (first.initial_epoch, second.initial_epoch) == (0, 1)
    assert first.seed != second.seed
    assert first.callbacks == second.callbacks
    for call in given:
        np.testing.assert_array_equal(call.x_train, x)
    prediction = distiller.ensembler.predict(x)
    fixed = student_targets(distiller.columns, prediction, (prediction.mean + y) / 2)
    np.testing.assert_allclose(second.y_train, TargetScaler.fit(fixed).transform(fixed), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(second.validation_data[1], first.validation_data[1])
    assert history.history["stage"] == [1, 2]
    np.testing.assert_allclose(
        distiller.predict_student(x, student).mean, predict(student, x)[:, :2], rtol=1e-5, atol=1e-6
    )
    assert path == str(tmp_path / "s.weights.h5")


def test_the_second_stage_is_left_out_unless_asked_for(ensembles, stages, x, y, tmp_path):
    train_fun, given = stages
    distiller = Distiller(ensembles())
    arguments = (x, y, net(4), train_fun)
    history = distiller.distill_student_dynamic(*arguments, save_prefix=tmp_path / "a")[1]
    assert history.history["stage"] == [1]
    distiller.distill_student_dynamic(*arguments, save_prefix=tmp_path / "b", finetune={}, max_epochs=4)
    assert [call.max_epochs for call in given] == [1, 4, 4]


def test_the_seed_decides_the_student(ensembles, x, y, tmp_path):
    distiller = Distiller(ensembles())

    def trained(name, seed):
        path, _ = distiller.distill_student_dynamic(
            *(x, y, lambda: dense(4), train_standard_fun, None, tmp_path / name),
            **{"augment_list": [RandomMutation(0.1)], "seed": seed, "max_epochs": 1},
        )
        student = dense(4)
        load_weights(student, Path(path))
        return student.get_weights()

    first, again, other = trained("a", 0), trained("b", 0), trained("c", 1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("append", [False, True], ids=["replace", "append"])
def test_sequences_of_weight_zero_do_not_matter(ensembles, x, y, tmp_path, append):
    distiller = Distiller(ensembles(), standardize=False)
    weights = np.ones(96)
    weights[::3] = 0
    results = []
    for name, base in (("a", 0), ("b", 3)):
        changed = x.copy()
        changed[::3] = base
        student = dense(4)
        student.set_weights([np.zeros((160, 4)), np.zeros(4)])
        distiller.distill_student_dynamic(
            *(changed, y, student, train_standard_fun, None, tmp_path / name),
            **{"sample_weight": weights, "append": append, "max_epochs": 1, "augment_list": FLIP},
        )
        results.append(student.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.any()


def test_what_cannot_be_taught_live_is_refused_and_leaves_no_file(ensembles, stages, x, y, tmp_path):
    train_fun, given = stages
    distiller = Distiller(ensembles())

    def attempt(distiller=distiller, recipe=train_fun, outputs=4, **changes):
        distiller.distill_student_dynamic(x, y, net(outputs), recipe, save_prefix=tmp_path / "s", **changes)

    refused = [
        (ConfigError, "no argument 'max_epoch'. Did you mean 'max_epochs'", {"max_epoch": 3}),
        (ConfigError, "no argument 'max_epoch'. Did you mean 'max_epochs'", {"finetune": {"max_epoch": 3}}),
        (ConfigError, "that does not augment", {"recipe": train_dynamic_aug_fun}),
        (
            ConfigError,
            "degu.uncertainty.Spread as uncertainty_fun",
            {"distiller": Distiller(distiller.ensembler, np.std)},
        ),
        (ConfigError, "Received: 5 bases added", {"augment_list": [RandomInsertion(1, 5, keep_length=False)]}),
        (ConfigError, "returns a Keras history.*Received: NoneType", {"recipe": lambda model, *data: None}),
        (EnsembleError, "a student with 4 outputs.*Received: 3", {"outputs": 3}),
    ]
    for error, message, changes in refused:
        with pytest.raises(error, match=message):
            attempt(**changes)
    assert given == []
    assert not (tmp_path / "s.weights.h5").exists()
