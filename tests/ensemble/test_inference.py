import contextlib

import keras
import numpy as np
import pytest

from degu import EnsemblerBase, EnsemblerMixed
from degu.data import RowWriter, TokenFile
from degu.data.encoding import one_hot
from degu.ensemble import group, inference
from degu.ensemble.inference import Predictor, graph_size
from degu.errors import DataError
from degu.train.batches import predict


def two_convolutions(activation="relu"):
    inputs = keras.Input((40, 4))
    x = keras.layers.BatchNormalization()(keras.layers.Conv1D(6, 4, padding="same")(inputs))
    x = keras.layers.MaxPooling1D(2)(keras.layers.Activation(activation)(x))
    x = keras.layers.BatchNormalization()(keras.layers.Conv1D(5, 3, padding="same")(x))
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(keras.layers.Activation("relu")(x)))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = keras.layers.Conv1D(6, 5)
        self.norm = keras.layers.BatchNormalization()
        self.last = keras.layers.Dense(2)

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.norm.build((None, 36, 6))
        self.last.build((None, 6))
        self.built = True

    def call(self, x, training=None):
        return self.last(keras.ops.max(self.norm(self.conv(x), training=training), axis=1))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)


def randomised(model, seed):
    """Give a network weights, statistics among them, that differ from those it starts with."""
    generator = np.random.default_rng(seed)
    model.set_weights([values + generator.uniform(0.1, 0.5, values.shape) for values in model.get_weights()])
    return model


@pytest.fixture
def saved(tmp_path):
    """Return a function that writes members with drawn weights and returns the paths."""

    def write(build, num_members=3, name="m"):
        paths = []
        for seed in range(num_members):
            paths.append(tmp_path / f"{name}_{seed}.weights.h5")
            randomised(build(), seed).save_weights(paths[-1])
        return paths

    return write


@pytest.fixture
def x():
    return np.random.default_rng(0).integers(0, 5, (70, 40), dtype=np.uint8)


@pytest.fixture
def reads(monkeypatch):
    """Weight files in the order in which they were read."""
    files, load = [], group.load_weights
    monkeypatch.setattr(group, "load_weights", lambda model, path: files.append(path.name) or load(model, path))
    return files


@pytest.fixture
def tables(monkeypatch):
    """Tables of k-mers however few the sequences are."""
    monkeypatch.setattr(inference, "LOOKUPS_A_ROW", 0)


def one_by_one(ensembler, x):
    return np.stack([predict(model, x) for model in ensembler.load_members()])


@pytest.mark.parametrize("name", ["conv", "recurrent", "gated", "nested", "sequential"])
def test_members_predict_together_what_each_predicts_alone(architectures, saved, x, name):
    ensembler = EnsemblerBase(architectures[name], saved(architectures[name]))
    expected = one_by_one(ensembler, x)
    np.testing.assert_allclose(ensembler.predict_members(x, 32), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ensembler.predict_members(one_hot(x), 32), expected, rtol=1e-5, atol=1e-5)


def test_a_network_whose_layers_are_not_known_predicts_too(x):
    models = []
    for seed in range(2):
        model = Subclassed()
        model.build((None, 40, 4))
        models.append(randomised(model, seed))
    predictor = Predictor(models[0])
    outputs = predictor.predict([predictor.folded(model.get_weights()) for model in models], x, 32)
    np.testing.assert_allclose(outputs, np.stack([predict(model, x) for model in models]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_tables_change_nothing_but_rounding(saved, x, tables, activation):
    ensembler = EnsemblerBase(lambda: two_convolutions(activation), saved(lambda: two_convolutions(activation)))
    assert (x == 4).any()
    expected = one_by_one(ensembler, x)
    np.testing.assert_allclose(ensembler.predict_members(x, 32), expected, rtol=1e-5, atol=1e-5)
    known = np.minimum(x, 3)
    np.testing.assert_allclose(ensembler.predict_members(known, 32), one_by_one(ensembler, known), rtol=1e-5, atol=1e-5)


def test_tables_are_made_where_they_are_looked_up_often_enough(saved, x, monkeypatch):
    """20 positions of 5 bases, 1,345 rows: 4 look-ups a row from 269 sequences on."""
    ensembler = EnsemblerBase(two_convolutions, saved(two_convolutions, 1))
    used = []
    through_tables = Predictor._through_tables
    monkeypatch.setattr(
        Predictor, "_through_tables", lambda *given: used.append(len(given[3])) or through_tables(*given)
    )
    for rows, expected in ((268, []), (269, [269])):
        ensembler.predict_members(np.random.default_rng(rows).integers(0, 4, (rows, 40), dtype=np.uint8))
        assert used == expected
    unknown = np.full((269, 40), 4, np.uint8)
    ensembler.predict_members(unknown)
    ensembler.predict_members(one_hot(unknown))
    assert used == [269]


@pytest.fixture
def double_precision():
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "jax":
            import jax

            stack.enter_context(jax.enable_x64())
        yield
    keras.config.set_dtype_policy(before[0])
    keras.config.set_floatx(before[1])


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("lookups", [0, np.inf], ids=["tables", "direct"])
def test_in_double_precision_they_agree_to_1e_10(saved, x, monkeypatch, lookups):
    monkeypatch.setattr(inference, "LOOKUPS_A_ROW", lookups)
    ensembler = EnsemblerBase(two_convolutions, saved(two_convolutions))
    outputs = ensembler.predict_members(x)
    assert outputs.dtype == np.float64
    # on JAX, Keras' own batch normalisation is in single precision whatever it is asked for
    rtol = 1e-6 if keras.backend.backend() == "jax" else 1e-10
    np.testing.assert_allclose(outputs, one_by_one(ensembler, x), rtol=rtol)


def test_architectures_are_predicted_with_their_own_members_and_units(conv_net, splits, shift, tmp_path, x):
    builds = [conv_net(activation="tanh"), two_convolutions]
    ensembler = EnsemblerMixed(builds)
    targets = 10 + 5 * splits.train.targets
    ensembler.train(splits.train.tokens, targets, 4, shift, save_prefix=tmp_path / "m", standardize=True)
    assert [member.units is not None for member in ensembler.members] == [True, False, True, False]
    np.testing.assert_allclose(ensembler.predict_members(x), one_by_one(ensembler, x), rtol=1e-5, atol=1e-5)
    again = EnsemblerMixed(builds, ensembler.weight_paths)
    np.testing.assert_array_equal(again.predict_members(x), ensembler.predict_members(x))


def test_weights_are_read_once_and_again_when_their_file_changes(conv_net, saved, x, reads):
    paths = saved(conv_net())
    ensembler = EnsemblerBase(conv_net(), paths)
    first = ensembler.predict_members(x)
    ensembler.predict_members(x[:50])
    assert reads == [path.name for path in paths]
    randomised(conv_net()(), 7).save_weights(paths[1])
    second = ensembler.predict_members(x)
    assert reads[3:] == [paths[1].name]
    np.testing.assert_array_equal(second[[0, 2]], first[[0, 2]])
    np.testing.assert_allclose(second, one_by_one(ensembler, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 70, 512])
def test_batch_size_changes_rounding_alone(conv_net, saved, x, batch_size):
    ensembler = EnsemblerBase(conv_net(), saved(conv_net()))
    expected = ensembler.predict_members(x, 32)
    np.testing.assert_allclose(ensembler.predict_members(x, batch_size), expected, rtol=1e-5, atol=1e-5)


def test_the_same_call_gives_the_same_bits_whatever_was_called_before(conv_net, saved, x):
    paths = saved(conv_net())
    fresh, used = EnsemblerBase(conv_net(), paths), EnsemblerBase(conv_net(), paths)
    for rows, batch_size in ((70, 7), (3, 512), (64, 64)):
        used.predict_members(x[:rows], batch_size)
    for rows in (70, 10):
        np.testing.assert_array_equal(used.predict_members(x[:rows], 32), fresh.predict_members(x[:rows], 32))


def test_all_batches_have_one_size():
    assert [graph_size(rows, 512) for rows in (1, 2, 3, 100, 512, 513, 10**6)] == [1, 2, 4, 128, 512, 512, 512]
    assert graph_size(100, 30) == 30


def test_other_layers_over_the_same_weights_are_predicted_anew(saved, x, tmp_path):
    paths = saved(two_convolutions)
    plain, other = (EnsemblerBase(lambda act=act: two_convolutions(act), paths) for act in ("relu", "tanh"))
    other.cache = plain.cache
    assert np.abs(plain.predict_members(x) - other.predict_members(x)).max() > 0.01


def test_a_file_of_tokens_is_predicted_like_the_array_it_holds(conv_net, saved, x, tables, tmp_path):
    with RowWriter(tmp_path / "x.npy") as writer:
        writer.append(x)
    for build in (conv_net(), two_convolutions):
        paths = saved(build)
        from_file = EnsemblerBase(build, paths).predict(TokenFile(tmp_path / "x.npy"), 32)
        np.testing.assert_array_equal(from_file.members, EnsemblerBase(build, paths).predict(x, 32).members)


@pytest.mark.parametrize(
    ("unusable", "error", "message"),
    [
        (np.zeros((0, 40), np.uint8), ValueError, "at least one sequence. Received: none"),
        (np.zeros((3, 40), int), ValueError, "tokens .* Received: shape"),
        (np.full((3, 40), 5, np.uint8), DataError, "received values from 5 to 5"),
    ],
)
def test_what_is_no_sequence_is_refused(conv_net, saved, unusable, error, message):
    with pytest.raises(error, match=message):
        EnsemblerBase(conv_net(), saved(conv_net(), 1)).predict(unusable)
