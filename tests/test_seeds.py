import contextlib
import random

import keras
import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from degu.config import config_dir
from degu.seeds import derive_seed, seeded, training_seed
from degu.stages import network_seeds


def test_streams_of_one_study_differ():
    seeds = [derive_seed(0, "member", i) for i in range(500)] + [
        derive_seed(0, "student"),
        derive_seed(0, "members", 0),
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_streams_of_two_studies_differ():
    assert not {derive_seed(0, "member", i) for i in range(100)} & {derive_seed(1, "member", i) for i in range(100)}


def test_a_stream_is_a_spawned_seed_sequence():
    parent = np.random.SeedSequence(5)
    third = parent.spawn(3)[2]
    assert derive_seed(5, 2) == int(third.generate_state(1)[0]) >> 1


def test_seeds_do_not_depend_on_the_process():
    # a text's own hash would: it is salted
    assert derive_seed(0, "member", 0) == 2013453858


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_seed_decides_what_a_block_draws(seed):
    def draw():
        with seeded(seed):
            weights = keras.layers.Dense(3)
            weights.build((None, 4))
            return random.random(), np.random.rand(), weights.get_weights()[0]  # noqa: NPY002

    (a, b, c), (d, e, f) = draw(), draw()
    assert (a, b) == (d, e)
    np.testing.assert_array_equal(c, f)


def test_zero_is_a_seed_like_any_other():
    def draw(seed):
        with seeded(seed):
            return random.random()

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


@pytest.mark.parametrize("seed", [3, None])
def test_states_of_the_caller_survive(seed):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    with contextlib.suppress(KeyError), seeded(seed):
        if seed is not None:
            random.random()
            np.random.rand()  # noqa: NPY002
        raise KeyError
    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002


@pytest.mark.parametrize("vary", ["both", "initial_values", "data_order"])
def test_a_study_records_the_seeds_that_its_members_are_trained_with(vary):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("config", overrides=[f"ensemble.vary={vary}", "seed=3"])
    seeds = network_seeds(config, 2)
    assert list(seeds) == ["member-00", "member-01", "student"]
    assert [seeds["member-00"], seeds["member-01"]] == [training_seed(3, index, vary) for index in range(2)]
