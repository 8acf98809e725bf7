import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from degu import augment
from degu.augment.sampling import integers, uniforms
from degu.augment.seeds import SeedStream
from degu.errors import ConfigError, DataError

FACTORIES = [
    lambda **kwargs: augment.RandomMutation(0.1, **kwargs),
    lambda **kwargs: augment.RandomDeletion(1, 6, **kwargs),
    lambda **kwargs: augment.RandomInsertion(1, 6, **kwargs),
    lambda **kwargs: augment.RandomInsertion(1, 7, keep_length=False, **kwargs),
    lambda **kwargs: augment.RandomTranslocation(1, 6, **kwargs),
    lambda **kwargs: augment.RandomTranslocationBatch(1, 20, **kwargs),
    lambda **kwargs: augment.RandomReverseComplement(0.5, **kwargs),
    lambda **kwargs: augment.RandomNoise(0.1, 0.3, **kwargs),
    lambda **kwargs: augment.RandomSubset(
        [augment.RandomMutation(0.2), augment.RandomInsertion(2, 5, keep_length=False)],
        max_augs_per_seq=1,
        **kwargs,
    ),
]
IDS = [f"{index}-{type(make()).__name__}" for index, make in enumerate(FACTORIES)]
# Keras reads its variables for the file in a way that NumPy 2 warns of.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
every = pytest.mark.parametrize("make", FACTORIES, ids=IDS)


def run(layer, x):
    return ops.convert_to_numpy(layer(x, training=True))


@every
def test_acts_in_training_only(make, batch):
    layer = make(seed=0)
    left = layer.added_length // 2 if not isinstance(layer, augment.RandomSubset) else 2
    for arguments in ({}, {"training": False}, {"training": None}):
        untouched = ops.convert_to_numpy(layer(batch, **arguments))
        np.testing.assert_array_equal(untouched[:, left : left + 30], batch)
        assert untouched.sum() == batch.sum()
    assert not np.array_equal(run(layer, batch)[:, left : left + 30], batch)


@every
def test_same_seed_same_bits_and_calls_differ(make, batch):
    first, second = make(seed=0), make(seed=0)
    outputs = [run(first, batch), run(first, batch)]
    assert not np.array_equal(*outputs)
    np.testing.assert_array_equal(outputs, [run(second, batch), run(second, batch)])
    assert not np.array_equal(run(make(seed=1), batch), outputs[0])


@every
def test_explicit_seed_repeats_and_matches_the_layer(make, batch):
    layer = make(seed=0)
    states = ops.convert_to_tensor([11, 12], "int32")
    for seed in (0, states):
        np.testing.assert_array_equal(layer.augment(batch, seed), layer.augment(batch, seed))
    assert not np.array_equal(layer.augment(batch, 0), layer.augment(batch, 1))
    np.testing.assert_array_equal(layer.augment(batch, keras.random.SeedGenerator(0)), run(layer, batch))


@every
def test_config_round_trip(make, batch):
    layer = make(seed=0)
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.seed == 0
    np.testing.assert_array_equal(run(copy, batch), run(layer, batch))


@every
def test_graph_with_unknown_batch_size_gives_the_same_bits(make, batch):
    layer, reference = make(seed=3), make(seed=3)
    traced = tf.function(
        lambda x: layer(x, training=True),
        input_signature=[tf.TensorSpec((None, 30, 4), "float32")],
        autograph=False,
    )
    assert traced.get_concrete_function().structured_outputs.shape[1:] == (30 + layer.added_length, 4)
    np.testing.assert_array_equal(traced(batch), run(reference, batch))
    assert traced(batch[:5]).shape == (5, 30 + layer.added_length, 4)


@every
def test_half_precision_stays_half(make, batch):
    layer = make(seed=0, dtype="float16")
    output = layer(batch, training=True)
    assert keras.backend.standardize_dtype(output.dtype) == "float16"
    assert keras.backend.standardize_dtype(layer.augment(batch, 1).dtype) == "float32"


@saves
@every
def test_saved_model_predicts_the_same(make, batch, tmp_path):
    inputs = keras.Input((30, 4))
    layer = make(seed=0)
    hidden = layer(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(hidden)))
    assert hidden.shape == (None, 30 + layer.added_length, 4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(batch, verbose=0), model.predict(batch, verbose=0))
    np.testing.assert_array_equal(run(loaded.layers[1], batch), run(layer, batch))


def test_fit_trains_through_the_layers(batch):
    layers = [make(seed=0) for make in FACTORIES]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    history = model.fit(batch[:64], np.ones((64, 1)), batch_size=48, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_none_seed_follows_the_global_seed(batch):
    keras.utils.set_random_seed(5)
    first = run(augment.RandomMutation(), batch)
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(run(augment.RandomMutation(), batch), first)
    assert not np.array_equal(run(augment.RandomMutation(), batch), first)


@pytest.mark.parametrize("seed", [True, 1.5, "0"])
def test_refuses_a_seed_that_is_no_integer(seed):
    with pytest.raises(ConfigError, match="expected seed as an integer or None"):
        augment.RandomNoise(seed=seed)


def test_refuses_unknown_arguments():
    with pytest.raises(ValueError, match="shift_maximum"):
        augment.RandomTranslocation(shift_maximum=3)


@pytest.mark.parametrize("shape", [(2, 30), (2, 30, 5), (2, None, 4)])
def test_refuses_other_shapes(shape):
    with pytest.raises(DataError, match="expected one-hot sequences"):
        augment.RandomNoise().build(shape)


@pytest.mark.parametrize(
    ("layer", "minimum"),
    [(augment.RandomDeletion(0, 12), 12), (augment.RandomTranslocation(0, 12), 13)],
)
def test_refuses_sequences_that_are_too_short(layer, minimum):
    fits = np.zeros((2, minimum, 4), "float32")
    assert layer.augment(fits, 0).shape == fits.shape
    for subject in (layer, augment.RandomSubset([layer])):
        with pytest.raises(DataError, match=f"at least {minimum} bases, received {minimum - 1}"):
            subject.augment(fits[:, 1:], 0)


def test_stream_draws_differ_and_are_unrelated():
    stream = SeedStream.start(0)
    first, second = (ops.convert_to_numpy(keras.random.uniform((2000,), seed=stream)) for _ in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    assert SeedStream.start(stream) is stream
    with pytest.raises(ConfigError, match="expected an integer, a SeedGenerator or a tensor"):
        SeedStream.start(None)


def test_integers_cover_the_closed_range():
    (uniform,) = uniforms(1, 8000, SeedStream.start(1))
    counts = np.bincount(ops.convert_to_numpy(integers(uniform, 2, 5))[:, 0])
    assert counts[:2].sum() == 0
    assert len(counts) == 6
    np.testing.assert_allclose(counts[2:] / 8000, 0.25, atol=0.02)


def _in_new_process(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]


def test_import_is_light_and_names_resolve():
    _in_new_process(
        "import sys, degu.augment as a; heavy = {'keras', 'tensorflow', 'evoaug_tf'} & set(sys.modules); "
        "assert not heavy, heavy; assert 'RandomSubset' in dir(a)"
    )
    assert all(getattr(augment, name).__name__ == name for name in augment.__all__)
    with pytest.raises(AttributeError, match="RandomDeletions"):
        _ = augment.RandomDeletions


@saves
def test_model_loads_in_a_new_process_after_register(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((8, 4)), augment.RandomSubset([augment.RandomNoise()], seed=4)]).save(path)
    _in_new_process(
        "import keras, degu.augment; degu.augment.register();"
        f"subset = keras.models.load_model({str(path)!r}).layers[0]; assert subset.seed == 4;"
        "assert type(subset.augmentations[0]).__name__ == 'RandomNoise'"
    )


@pytest.mark.jax
def test_compiles_on_jax():
    pytest.importorskip("jax")
    _in_new_process(
        "import os; os.environ['KERAS_BACKEND'] = 'jax'\n"
        "import jax, numpy as np\n"
        "from degu import augment as a\n"
        "x = np.eye(4, dtype='float32')[np.random.default_rng(0).integers(0, 4, (8, 20))]\n"
        "parts = [a.RandomMutation(0.2), a.RandomDeletion(1, 5)]\n"
        "parts += [a.RandomInsertion(1, 3, keep_length=False)]\n"
        "parts += [a.RandomTranslocation(1, 5), a.RandomReverseComplement(), a.RandomNoise()]\n"
        "for layer in [*parts, a.RandomSubset(parts)]:\n"
        "    f = jax.jit(layer.augment)\n"
        "    states = [np.array(state, 'uint32') for state in ([1, 2], [1, 2], [1, 99])]\n"
        "    one, same, other = (np.asarray(f(x, state)) for state in states)\n"
        "    assert (one == same).all() and (one != other).any()\n"
        "    assert one.shape[1] == 20 + layer.added_length\n"
    )
