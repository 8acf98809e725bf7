"""Stacks are no larger than the memory has room for, and divided ones train the same members."""

import keras
import numpy as np
import pytest

from degu import EnsemblerBase
from degu.devices import free_memory
from degu.models import deepstarr
from degu.stacked import room, together
from degu.train import train_standard_fun


@pytest.mark.parametrize(("members", "most", "sizes"), [(10, 4, [3, 4, 3]), (5, 5, [5]), (3, 1, [1, 1, 1])])
def test_parts_are_even_and_in_order(members, most, sizes):
    parts = room.even_parts(list(range(members)), most)
    assert sorted(len(part) for part in parts) == sorted(sizes)
    assert [item for part in parts for item in part] == list(range(members))


def test_members_are_counted_beside_their_data_and_one_always_runs():
    assert room.most_members(free=1000, data=100, member=100) == 7
    assert room.most_members(free=1000, data=900, member=100) == 1


def test_memory_of_a_member_by_hand():
    inputs = keras.Input((10, 4))
    features = keras.layers.Conv1D(8, 3, padding="same")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(features)))
    weights = 3 * 4 * 8 + 8 + 80 * 2 + 2
    values = 10 * 4 + (10 * 8 + 10 * 3 * 4) + 10 * 8 + 2
    assert room.member_bytes(model, 16) == 4 * 4 * weights + 2 * 16 * 4 * values


def test_memory_grows_with_the_batch_and_models_inside_are_counted():
    model = deepstarr((60, 4), 2, width=0.1)
    inputs = keras.Input((60, 4))
    outer = keras.Model(inputs, model(inputs))
    assert room.member_bytes(model, 64) > 1.5 * room.member_bytes(model, 16)
    assert room.member_bytes(outer, 64) >= room.member_bytes(model, 64)


def test_free_memory_is_that_of_this_machine():
    free = free_memory()
    assert free is None or 2**20 < free < 2**44


def test_divided_stacks_end_with_the_same_weights(tmp_path, monkeypatch, caplog, conv_net, splits):
    def trained(folder):
        ensembler = EnsemblerBase(conv_net())
        ensembler.train(
            splits.train.tokens,
            splits.train.targets,
            3,
            train_standard_fun,
            (splits.valid.tokens, splits.valid.targets),
            save_prefix=tmp_path / folder / "m",
            engine="stacked",
            max_epochs=2,
            batch_size=20,
        )
        return [array for model in ensembler.load_members() for array in model.get_weights()]

    whole = trained("whole")
    monkeypatch.setattr(together, "divided", lambda jobs: room.even_parts(jobs, 2))
    with caplog.at_level("INFO"):
        parts = trained("parts")
    assert "in 2 stacks" in caplog.text
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
