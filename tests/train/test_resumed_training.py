"""A training that is interrupted and goes on ends with the bits of one that was not: recipes and both engines."""

import functools

import keras
import numpy as np
import pytest

from degu.augment import RandomMutation, RandomNoise
from degu.ensemble import EnsemblerBase, EnsemblerDynamic
from degu.errors import EnsembleError
from degu.train import Checkpoints, train_dynamic_aug_fun, train_one_cycle_fun, train_standard_fun
from degu.train.checkpoint import draws_from_global_stream, state_path

EVERY = Checkpoints(epochs=1, seconds=0)
RECIPES = {
    "standard": functools.partial(
        train_standard_fun, max_epochs=6, batch_size=16, es_patience=2, lr_patience=1, initial_lr=0.05
    ),
    "one cycle": functools.partial(train_one_cycle_fun, max_epochs=5, batch_size=16),
    "two stages": functools.partial(
        train_dynamic_aug_fun,
        max_epochs=3,
        finetune_epochs=3,
        batch_size=16,
        augment_list=[RandomMutation(0.1), RandomNoise(0.0, 0.2)],
    ),
}


class Killed(Exception):
    """Stands for the end of the process."""


class Count(keras.callbacks.Callback):
    """Counts epochs of all networks together, and interrupts the training after so many."""

    def __init__(self, kill_after=None):
        super().__init__()
        self._kill_after = kill_after
        self._ended = 0

    @property
    def ended(self):
        return self._ended

    def on_epoch_begin(self, epoch, logs=None):
        if self._ended == self._kill_after:
            raise Killed

    def on_epoch_end(self, epoch, logs=None):
        self._ended += 1


def trained(folder, splits, conv_net, recipe, engine, callbacks=(), resume=EVERY):
    ensembler = EnsemblerBase(conv_net(dropout=0.3))
    histories = ensembler.train(
        splits.train.tokens,
        splits.train.targets,
        2,
        RECIPES[recipe],
        (splits.valid.tokens, splits.valid.targets),
        folder / "member",
        seed=3,
        standardize=True,
        engine=engine,
        resume=resume,
        callbacks=callbacks,
    )
    return ensembler, histories


@pytest.fixture(scope="module")
def whole(tmp_path_factory, splits):
    """Return a function that gives the ensemble of a recipe, trained without an interruption."""
    found = {}

    def get(recipe, engine, conv_net):
        if (recipe, engine) not in found:
            folder, count = tmp_path_factory.mktemp("whole"), Count()
            found[recipe, engine] = *trained(folder, splits, conv_net, recipe, engine, [count], None), count.ended
        return found[recipe, engine]

    return get


@pytest.mark.parametrize(
    ("recipe", "engine", "epochs"),
    [
        ("standard", "serial", 3),
        pytest.param("standard", "stacked", 5, marks=pytest.mark.slow),
        pytest.param("one cycle", "serial", 7, marks=pytest.mark.slow),
        ("one cycle", "stacked", 4),
        pytest.param("two stages", "serial", 4, marks=pytest.mark.slow),
        ("two stages", "stacked", 8),
    ],
)
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, splits, conv_net, whole, recipe, engine, epochs):
    kept, histories, all_epochs = whole(recipe, engine, conv_net)
    with pytest.raises(Killed):
        trained(tmp_path, splits, conv_net, recipe, engine, [Count(epochs)])
    count = Count()
    again, resumed = trained(tmp_path, splits, conv_net, recipe, engine, [count])
    assert count.ended == all_epochs - epochs
    for mine, theirs in zip(again.members, kept.members, strict=True):
        assert mine.weights.read_bytes() == theirs.weights.read_bytes()
        assert not state_path(mine.weights).exists()
    for mine, theirs in zip(resumed, histories, strict=True):
        assert mine.epoch == theirs.epoch
        assert {name: list(map(float, values)) for name, values in mine.history.items()} == theirs.history


@pytest.mark.slow
def test_an_interruption_between_the_states_of_two_members(tmp_path, splits, conv_net, whole):
    """The state of one member is an epoch, and here a stage, older than that of the other."""
    kept, histories, _ = whole("two stages", "stacked", conv_net)
    with pytest.raises(Killed):
        trained(tmp_path, splits, conv_net, "two stages", "stacked", [Count(6)])
    path = state_path(tmp_path / "member_1.weights.h5")
    older = path.read_bytes()
    with pytest.raises(Killed):
        trained(tmp_path, splits, conv_net, "two stages", "stacked", [Count(2)])
    assert path.read_bytes() != older
    path.write_bytes(older)
    again, _ = trained(tmp_path, splits, conv_net, "two stages", "stacked")
    assert [m.weights.read_bytes() for m in again.members] == [m.weights.read_bytes() for m in kept.members]


@pytest.mark.parametrize("content", [b"", pytest.param(b"PK\x03\x04 cut short", marks=pytest.mark.slow)])
def test_a_state_that_cannot_be_read_is_left_aside(tmp_path, splits, conv_net, whole, content, caplog):
    kept, _, all_epochs = whole("standard", "serial", conv_net)
    state_path(tmp_path / "member_0.weights.h5").write_bytes(content)
    count = Count()
    again, _ = trained(tmp_path, splits, conv_net, "standard", "serial", [count])
    assert "cannot be read" in caplog.text
    assert count.ended == all_epochs
    assert again.members[0].weights.read_bytes() == kept.members[0].weights.read_bytes()


def test_states_are_kept_as_often_as_asked(tmp_path, splits, conv_net, monkeypatch):
    written = []
    monkeypatch.setattr("degu.train.checkpoint.np.savez", lambda path, **_: written.append(path.touch()))
    trained(tmp_path / "a", splits, conv_net, "one cycle", "serial", resume=Checkpoints(epochs=2, seconds=0))
    assert len(written) == 2 * 2
    trained(tmp_path / "b", splits, conv_net, "one cycle", "serial", resume=Checkpoints(epochs=1, seconds=3600))
    assert len(written) == 2 * 2


def test_finished_members_are_kept_and_others_refused(tmp_path, splits, conv_net, whole):
    first, _ = trained(tmp_path, splits, conv_net, "standard", "serial")
    count = Count()
    again, histories = trained(tmp_path, splits, conv_net, "standard", "serial", [count])
    assert count.ended == 0
    assert [member.seed for member in again.members] == [member.seed for member in first.members]
    x = splits.test.tokens
    assert np.array_equal(again.predict(x).members, first.predict(x).members)
    assert histories[1].history == whole("standard", "serial", conv_net)[1][1].history
    again.members[1].weights.write_bytes(b"weights from elsewhere")
    with pytest.raises(EnsembleError, match="Expected no file at .*member_1"):
        trained(tmp_path, splits, conv_net, "standard", "serial")


def test_a_global_stream_has_no_state(tmp_path, splits, conv_net):
    """evoaug_tf draws from TensorFlow's own stream: such a member starts anew, and is not continued wrongly."""
    from evoaug_tf import augment

    ensembler = EnsemblerDynamic(conv_net())
    short = functools.partial(train_dynamic_aug_fun, max_epochs=2, finetune_epochs=0, batch_size=32)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((draws_from_global_stream(self.model), state_path(tmp_path / "m_0.weights.h5").exists()))

    ensembler.train(
        splits.train.tokens,
        splits.train.targets,
        1,
        short,
        save_prefix=tmp_path / "m",
        augment_list=[augment.RandomNoise()],
        resume=EVERY,
        callbacks=[Look()],
    )
    assert seen == [(True, False)] * 2
