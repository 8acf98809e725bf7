"""Bookkeeping of members: files, order, failures, architectures."""

import contextlib
import functools

import numpy as np
import pytest

from degu import EnsemblerBase, EnsemblerMixed
from degu.errors import ConfigError, EnsembleError
from degu.metrics import eval_regression
from degu.seeds import derive_seed
from degu.train.batches import predict
from degu.train.weights import load_weights


@pytest.fixture
def data(splits):
    return splits.train.tokens, splits.train.targets


def test_weights_are_named_by_prefix_and_index_and_folders_are_made(conv_net, data, shift, tmp_path):
    ensembler = EnsemblerBase(conv_net())
    histories = ensembler.train(*data, 2, shift, save_prefix=tmp_path / "a" / "b" / "deepstarr")
    names = [str(tmp_path / "a" / "b" / f"deepstarr_{index}.weights.h5") for index in range(2)]
    assert ensembler.weight_paths == names
    assert [history["seed"] for history in histories] == [derive_seed(0, "member", index) for index in range(2)]
    ensembler.train(*data, 1, shift, save_prefix=tmp_path / "a" / "b" / "deepstarr")
    assert ensembler.num_ensemble == 3
    assert ensembler.weight_paths[2].endswith("deepstarr_2.weights.h5")
    assert sorted(map(str, (tmp_path / "a" / "b").glob("*.h5"))) == ensembler.weight_paths
    records = {path.name for path in (tmp_path / "a" / "b").iterdir() if path.suffix != ".h5"}
    assert records == {f"deepstarr_{index}.training.json" for index in range(3)}


def test_existing_members_are_not_overwritten(conv_net, data, shift, tmp_path):
    EnsemblerBase(conv_net()).train(*data, 2, shift, save_prefix=tmp_path / "m")
    before = (tmp_path / "m_1.weights.h5").read_bytes()
    second = EnsemblerBase(conv_net())
    with pytest.raises(EnsembleError, match="Received: an existing one"):
        second.train(*data, 2, shift, save_prefix=tmp_path / "m", seed=1)
    assert second.num_ensemble == 0
    assert (tmp_path / "m_1.weights.h5").read_bytes() == before
    second.train(*data, 2, shift, save_prefix=tmp_path / "m", seed=1, overwrite=True)
    assert (tmp_path / "m_1.weights.h5").read_bytes() != before


def test_a_failed_member_leaves_the_earlier_ones(conv_net, data, shift, tmp_path, splits):
    calls = []

    def third_fails(model, x_train, y_train, validation_data, seed):
        calls.append(seed)
        if len(calls) == 3:
            raise MemoryError
        return shift(model, x_train, y_train, validation_data, seed)

    ensembler = EnsemblerBase(conv_net())
    with pytest.raises(MemoryError):
        ensembler.train(*data, 5, third_fails, save_prefix=tmp_path / "m")
    assert ensembler.num_ensemble == 2
    assert ensembler.predict(splits.test.tokens).members.shape == (2, 40, 2)
    ensembler.train(*data, 1, shift, save_prefix=tmp_path / "m")
    assert ensembler.members[2].seed == calls[2]


def test_arguments_are_checked_before_training(conv_net, data, shift, tmp_path):
    ensembler = EnsemblerBase(conv_net())
    with pytest.raises(ConfigError, match="no argument 'sizes'. Did you mean 'size'"):
        ensembler.train(*data, 1, shift, save_prefix=tmp_path / "m", sizes=2)
    for count in (0, -1):
        with pytest.raises(EnsembleError, match="num_ensemble of at least 1"):
            ensembler.train(*data, count, shift, save_prefix=tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_arguments_of_the_recipe_reach_it(conv_net, data, shift, tmp_path, weights_of):
    still, moved = EnsemblerBase(conv_net()), EnsemblerBase(conv_net())
    still.train(*data, 1, shift, save_prefix=tmp_path / "a", size=0.0)
    moved.train(*data, 1, functools.partial(shift, size=2.0), save_prefix=tmp_path / "b")
    assert not weights_of(still)[0][-1].any()
    assert weights_of(moved)[0][-1].any()


def test_scope_surrounds_every_member_and_gives_it_callbacks(conv_net, data, tmp_path):
    events = []

    @contextlib.contextmanager
    def scope(index, seed):
        events.append(("enter", index, seed))
        yield [f"callback {index}"]
        events.append(("exit", index, (tmp_path / f"m_{index}.weights.h5").is_file()))

    def train_fun(model, x_train, y_train, validation_data, callbacks):
        events.append(callbacks[1:])

    ensembler = EnsemblerBase(conv_net())
    ensembler.train(*data, 2, train_fun, save_prefix=tmp_path / "m", scope=scope, callbacks=["common"])
    seeds = [member.seed for member in ensembler.members]
    assert events == [
        ("enter", 0, seeds[0]),
        ["common", "callback 0"],
        ("exit", 0, True),
        ("enter", 1, seeds[1]),
        ["common", "callback 1"],
        ("exit", 1, True),
    ]


def test_defaults_are_not_shared(conv_net, data, shift, tmp_path):
    first = EnsemblerBase(conv_net())
    first.train(*data, 1, shift, save_prefix=tmp_path / "m")
    assert EnsemblerBase(conv_net()).num_ensemble == 0
    assert EnsemblerBase(conv_net()).cache is not first.cache
    paths = first.weight_paths
    second = EnsemblerBase(conv_net(), weight_paths=paths)
    second.train(*data, 1, shift, save_prefix=tmp_path / "n")
    assert len(paths) == 1


def test_mixed_members_keep_architecture_and_weights_together(conv_net, data, shift, tmp_path, splits):
    wide, narrow = conv_net(norm=False), conv_net()
    ensembler = EnsemblerMixed([wide, narrow])
    ensembler.train(*data, 3, shift, save_prefix=tmp_path / "m")
    ensembler.train(*data, 2, shift, save_prefix=tmp_path / "m")
    reloaded = EnsemblerMixed([wide, narrow], weight_paths=ensembler.weight_paths)
    x = splits.test.tokens
    members = reloaded.predict(x).members
    np.testing.assert_array_equal(members, ensembler.predict(x).members)
    for index, build in enumerate((wide, narrow, wide, narrow, wide)):
        model = build()
        load_weights(model, tmp_path / f"m_{index}.weights.h5")
        np.testing.assert_allclose(members[index], predict(model, x), rtol=1e-5, atol=1e-6)


def test_mixed_recipes_follow_the_architectures(conv_net, data, tmp_path):
    def recipe(name):
        return lambda model, x_train, y_train, validation_data=None: (name, len(model.layers))

    ensembler = EnsemblerMixed([conv_net(norm=False), conv_net()])
    recipes = [recipe("a"), recipe("b")]
    assert ensembler.train(*data, train_fun=recipes, save_prefix=tmp_path / "m") == [("a", 5), ("b", 6)]
    assert ensembler.train(*data, 3, recipes, save_prefix=tmp_path / "m") == [("a", 5), ("b", 6), ("a", 5)]
    with pytest.raises(EnsembleError, match="one for each of 2 architectures. Received: 3"):
        ensembler.train(*data, 1, [recipes[0]] * 3, save_prefix=tmp_path / "m")


def test_mixed_architectures_must_fit_together(conv_net, data, shift, tmp_path):
    with pytest.raises(EnsembleError, match="at least one architecture"):
        EnsemblerMixed([])
    ensembler = EnsemblerMixed([conv_net(2), conv_net(3)])
    with pytest.raises(EnsembleError, match=r"mean 0, mean 1. Received: mean 0, mean 1, mean 2 from member 1"):
        ensembler.train(*data, 2, shift, save_prefix=tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_one_architecture_and_several(conv_net):
    builds = [conv_net(), conv_net()]
    with pytest.raises(EnsembleError, match="Expected one architecture.* Received: 2"):
        EnsemblerBase.of(builds, uncertainty_fun=np.std)
    assert EnsemblerMixed.of(builds, uncertainty_fun=np.std).model_funs == tuple(builds)


def test_evaluation_is_that_of_the_mean_and_of_every_member(conv_net, data, shift, tmp_path, splits):
    ensembler = EnsemblerBase(conv_net())
    ensembler.train(*data, 3, shift, save_prefix=tmp_path / "m")
    x, y = splits.test.tokens, splits.test.targets
    singles = [predict(model, x) for model in ensembler.load_members()]
    ensemble_results, member_results = ensembler.eval_ensemble(x, y, eval_regression)
    by_hand = np.mean((np.mean(singles, axis=0) - y) ** 2, axis=0)
    np.testing.assert_allclose(ensemble_results.mse, by_hand, rtol=1e-4)
    for got, single in zip(member_results, singles, strict=True):
        np.testing.assert_allclose(got.mse, np.mean((single - y) ** 2, axis=0), rtol=1e-4)
    # the squared error of a mean is below the mean squared error, by the members' variance
    gain = np.mean([got.mse for got in member_results], axis=0) - ensemble_results.mse
    np.testing.assert_allclose(gain, np.var(singles, axis=0).mean(axis=0), rtol=1e-3)
