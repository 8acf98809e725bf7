import keras
import numpy as np
import pytest

from degu import EnsemblerBase, EnsemblerMixed
from degu.ensemble.fresh import check_members_differ, fresh_model
from degu.errors import EnsembleError
from degu.seeds import training_seed
from degu.train import Checkpoints, train_standard_fun

NAMES = ["conv", "recurrent", "gated", "nested", "sequential"]


def leave(model, x_train, y_train, validation_data):
    return {}


def random_weights(model):
    """Weights with more than a handful of values: drawn at random, not zeros and ones."""
    return [w for w in model.get_weights() if len(np.unique(w)) > 8]


def train(base, data, folder, train_fun=leave, num_ensemble=2, seed=0, **kwargs):
    ensembler = EnsemblerBase(base)
    x, y = data.train.tokens, data.train.targets
    ensembler.train(x, y, num_ensemble, train_fun, (x, y), folder / "m", seed=seed, **kwargs)
    return ensembler


@pytest.mark.parametrize("as_model", [False, True], ids=["builder", "model"])
@pytest.mark.parametrize("name", NAMES)
def test_members_start_as_far_apart_as_independent_models(architectures, splits, tmp_path, weights_of, name, as_model):
    build = architectures[name]
    members = train(build() if as_model else build, splits, tmp_path, num_ensemble=3).load_members()
    keras.utils.set_random_seed(99)
    first, second = random_weights(build()), random_weights(build())
    expected = [np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(first, second, strict=True)]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        pairs = zip(random_weights(members[one]), random_weights(members[other]), expected, strict=True)
        for a, b, distance in pairs:
            assert np.sqrt(np.mean((a - b) ** 2)) == pytest.approx(distance, rel=0.5)
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 6 / np.sqrt(a.size)


@pytest.mark.parametrize("name", ["conv", "nested"])
def test_members_trained_at_rate_zero_keep_their_own_start(architectures, splits, tmp_path, weights_of, name):
    ensembler = train(
        architectures[name](), splits, tmp_path, train_standard_fun, initial_lr=0.0, max_epochs=1, min_lr=0.0
    )
    for a, b in zip(*map(random_weights, ensembler.load_members()), strict=True):
        if a.ndim > 1:
            assert np.abs(a - b).max() > 0.05


def test_a_later_member_does_not_continue_an_earlier_one(architectures, splits, tmp_path, equal):
    seen = []

    def spoil(model, x_train, y_train, validation_data):
        seen.append(model.get_weights())
        model.set_weights([w + 100 for w in model.get_weights()])

    train(architectures["nested"](), splits, tmp_path, spoil, num_ensemble=3)
    assert max(np.abs(w).max() for weights in seen for w in weights) < 10


@pytest.mark.parametrize("as_model", [False, True], ids=["builder", "model"])
@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_bits(architectures, splits, tmp_path, weights_of, equal, name, as_model):
    build = architectures[name]
    base = build() if as_model else build
    first = weights_of(train(base, splits, tmp_path / "a", seed=5))
    keras.utils.set_random_seed(1)
    base = build() if as_model else build
    second = weights_of(train(base, splits, tmp_path / "b", seed=5))
    other = weights_of(train(base, splits, tmp_path / "c", seed=6))
    assert all(equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(equal(a, b) for a, b in zip(first, other, strict=True))


def test_equal_seeds_give_equal_bits_after_training_with_dropout(conv_net, splits, tmp_path, weights_of, equal):
    def trained(folder, num_ensemble, seed=5):
        base = conv_net(dropout=0.3)()
        recipe = {"train_fun": train_standard_fun, "max_epochs": 2, "standardize": True}
        return weights_of(train(base, splits, tmp_path / folder, num_ensemble=num_ensemble, seed=seed, **recipe))

    two, three, other = trained("a", 2), trained("b", 3), trained("c", 2, seed=0)
    assert equal(two[0], three[0])
    assert equal(two[1], three[1])
    assert not equal(two[0], other[0])


def test_ensembles_of_one_seed_are_nested_however_they_grew(architectures, splits, tmp_path, weights_of, equal):
    base = architectures["conv"]
    at_once = weights_of(train(base, splits, tmp_path / "a", num_ensemble=4))
    ensembler = EnsemblerBase(base)
    x, y = splits.train.tokens, splits.train.targets
    for count in (1, 2, 1):
        ensembler.train(x, y, count, leave, save_prefix=tmp_path / "b" / "m")
    assert all(equal(a, b) for a, b in zip(at_once, weights_of(ensembler), strict=True))


def test_members_have_names_seeds_of_their_own(architectures, splits, tmp_path):
    ensembler = train(architectures["conv"], splits, tmp_path, num_ensemble=3)
    assert len({member.seed for member in ensembler.members}) == 3


def fixed_kernel():
    inputs = keras.Input((40, 4))
    x = keras.layers.Conv1D(3, 5, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(x)))


def test_a_fixed_initialiser_seed_is_refused_before_training(splits, tmp_path):
    def never(*args):
        raise AssertionError

    with pytest.raises(EnsembleError, match=r"'conv1d\w*/kernel' is the same .* Remove the fixed seed"):
        train(fixed_kernel, splits, tmp_path, never)
    assert not list(tmp_path.glob("*.h5"))


def test_a_fixed_seed_is_refused_in_every_architecture_of_a_mixed_ensemble(conv_net, splits, tmp_path):
    ensembler = EnsemblerMixed([conv_net(), fixed_kernel])
    x, y = splits.train.tokens, splits.train.targets
    ensembler.train(x, y, 2, leave, save_prefix=tmp_path / "m")
    with pytest.raises(EnsembleError, match="Remove the fixed seed"):
        ensembler.train(x, y, 2, leave, save_prefix=tmp_path / "m")


def test_patterns_that_are_no_draws_may_be_equal():
    def build():
        inputs = keras.Input((8,))
        x = keras.layers.Dense(8, kernel_initializer="identity")(inputs)
        x = keras.layers.Normalization(mean=np.arange(8.0), variance=np.arange(1.0, 9))(x)
        return keras.Model(inputs, keras.layers.Dense(2)(x))

    check_members_differ(build(), build())


def test_models_of_the_user_are_never_touched(architectures, splits, tmp_path, equal):
    base = architectures["nested"]()
    before = base.get_weights()
    ensembler = train(base, splits, tmp_path, train_standard_fun, max_epochs=1)
    ensembler.predict(splits.test.tokens)
    assert equal(before, base.get_weights())
    assert not base.compiled


def test_the_random_state_of_the_user_survives_training(architectures, splits, tmp_path):
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    train(architectures["conv"](), splits, tmp_path)
    assert np.random.rand() == expected  # noqa: NPY002


class NoConfig(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.inner = keras.layers.Dense(units)

    def call(self, inputs):
        return self.inner(inputs)


class Unregistered(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def custom_layer():
    inputs = keras.Input((4,))
    return keras.Model(inputs, Unregistered()(inputs))


def unbuilt():
    return keras.Sequential([keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NoConfig(2), "NoConfig .*Pass a function that returns a new model instead"),
        (custom_layer, "Functional .*'Unregistered'.*Pass a function that returns a new model instead"),
        (unbuilt, "to be built. Call it once on a batch, or pass a builder"),
        (lambda: unbuilt, None),
        (lambda: lambda: "no model", "builder to return a keras.Model. Received: str"),
    ],
    ids=["no config", "unregistered layer", "unbuilt", "builder", "no model"],
)
def test_models_that_cannot_be_rebuilt_are_refused(make, message):
    base = make()
    if message is None:
        assert isinstance(fresh_model(base, 0), keras.Model)
        return
    with pytest.raises(EnsembleError, match=f"(?s){message}"):
        fresh_model(base, 0)


@pytest.mark.parametrize(
    ("vary", "same_start", "same_order"),
    [("both", False, False), ("initial_values", False, True), ("data_order", True, False)],
)
def test_members_differ_in_what_is_asked(conv_net, splits, tmp_path, equal, vary, same_start, same_order):
    starts, orders = [], []

    def look(model, x_train, y_train, validation_data, seed):
        starts.append(model.get_weights())
        orders.append(seed)

    train(conv_net(), splits, tmp_path, look, num_ensemble=3, vary=vary)
    assert orders == [training_seed(0, index, vary) for index in range(3)]  # what a study records
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert equal(starts[one], starts[other]) is same_start
        assert (orders[one] == orders[other]) is same_order


def test_what_varies_within_each_of_two_architectures(architectures, splits, tmp_path, equal):
    starts = []
    ensembler = EnsemblerMixed([architectures["conv"], architectures["sequential"]])
    x, y = splits.train.tokens, splits.train.targets
    ensembler.train(
        x,
        y,
        4,
        lambda model, x_train, y_train, validation_data: starts.append(model.get_weights()),
        (x, y),
        tmp_path / "m",
        vary="data_order",
    )
    assert equal(starts[0], starts[2])
    assert equal(starts[1], starts[3])
    seeds = [member.seed for member in ensembler.members]
    assert len(set(seeds)) == 4


def test_members_trained_under_another_choice_are_not_kept(conv_net, splits, tmp_path):
    calls = []

    def count(model, x_train, y_train, validation_data):
        calls.append(1)

    for vary in ("both", "both", "data_order", "initial_values"):
        train(conv_net(), splits, tmp_path, count, vary=vary, overwrite=True, resume=Checkpoints())
    assert len(calls) == 6


def test_an_unknown_choice_of_what_varies_is_refused(conv_net, splits, tmp_path):
    with pytest.raises(EnsembleError, match="vary to be one of"):
        train(conv_net(), splits, tmp_path, vary="order")
