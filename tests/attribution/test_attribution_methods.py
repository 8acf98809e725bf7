import keras
import numpy as np
import pytest

from degu import attribution
from degu.data.encoding import detokenize, one_hot, tokenize
from degu.errors import ConfigError, DataError

MOTIF = "TGACTCA"


@pytest.fixture
def motif_output():
    """The number of motif letters above 5 that match best, in sequences of 30 bp: 2 for the motif itself."""
    inputs = keras.Input((30, 4))
    layer = keras.layers.Conv1D(1, len(MOTIF), activation="relu")
    network = keras.Model(inputs, keras.layers.GlobalMaxPooling1D()(layer(inputs)))
    layer.set_weights([one_hot(tokenize([MOTIF]))[0][..., None], np.array([2.0 - len(MOTIF)])])
    return attribution.network_output(network)


@pytest.fixture
def with_motif():
    """Three sequences of 30 bp with the motif from position 11 and nothing like it elsewhere."""
    return tokenize(["C" * 11 + MOTIF + "G" * 12, "GGCCGGCCGGC" + MOTIF + "CCGGCCGGCCGG", "A" * 11 + MOTIF + "N" * 12])


def test_every_method_is_exact_on_a_linear_network(linear, weights, tokens):
    every = weights()
    chosen, x = every[..., 1], one_hot(tokens)
    output = attribution.network_output(linear(every), target=1)
    baseline = np.random.default_rng(1).random((12, 4)).astype(np.float32)
    references = attribution.dinucleotide_references(tokens, 6)
    mean_reference = one_hot(references.tokens).mean(axis=1)
    close = {"rtol": 1e-5, "atol": 1e-5}
    saliency = attribution.saliency(output, tokens)
    np.testing.assert_allclose(saliency, np.broadcast_to(chosen, x.shape), **close)
    np.testing.assert_allclose(attribution.gradient_x_input(output, tokens), chosen * x, **close)
    for steps in (1, 7):
        maps = attribution.integrated_gradients(output, tokens, baseline, num_steps=steps)
        np.testing.assert_allclose(maps, (x - baseline) * chosen, **close)
    maps = attribution.expected_gradients(output, tokens, references)
    np.testing.assert_allclose(maps, (x - mean_reference) * chosen, **close)
    maps = attribution.expected_gradients(output, tokens, references, hypothetical=True)
    expected = chosen - (mean_reference * chosen).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(maps, expected, **close)
    effects = (chosen - (x * chosen).sum(axis=-1, keepdims=True)) * (1 - x)
    np.testing.assert_allclose(attribution.mutagenesis(output, tokens), effects, **close)
    corrected = attribution.gradient_correction(saliency)
    np.testing.assert_allclose(corrected[0], chosen - chosen.mean(axis=-1, keepdims=True), **close)


def test_mutagenesis_is_what_brute_force_gives(motif_output, with_motif):
    maps = attribution.mutagenesis(motif_output, with_motif, batch_size=17)
    assert maps.shape == (3, 30, 4)
    for row, sequence in enumerate(detokenize(with_motif)):
        for position in range(30):
            for number, letter in enumerate("ACGT"):
                changed = sequence[:position] + letter + sequence[position + 1 :]
                before, after = (motif_output.value(one_hot(tokenize([text])))[0] for text in (sequence, changed))
                assert maps[row, position, number] == pytest.approx(after - before, abs=1e-6)
    own = one_hot(with_motif) == 1
    assert (maps[own] == 0).all()


def test_attribution_lies_on_the_motif(motif_output, with_motif):
    expected = np.zeros((3, 30))
    expected[:, 11:18] = 1.0
    np.testing.assert_allclose(attribution.gradient_x_input(motif_output, with_motif).sum(-1), expected)
    contributions = attribution.of_sequence(
        attribution.gradient_correction(attribution.mutagenesis(motif_output, with_motif)), with_motif
    )
    np.testing.assert_allclose(contributions.sum(-1), 0.75 * expected, atol=1e-6)
    references = attribution.dinucleotide_references(with_motif, 50, seed=3)
    maps = attribution.expected_gradients(motif_output, with_motif, references, hypothetical=True)
    own = np.abs(attribution.of_sequence(maps, with_motif).sum(-1))
    assert (own[:, 11:18].sum(axis=1) > 0.7 * own.sum(axis=1)).all()


@pytest.mark.parametrize("hypothetical", [False, True])
def test_integrated_gradients_are_complete(smooth, tokens, hypothetical):
    output = attribution.network_output(smooth())
    x, baseline = one_hot(tokens), np.full((12, 4), 0.25, np.float32)
    difference = output.value(x) - output.value(np.broadcast_to(baseline, x.shape).copy())
    errors = []
    for steps in (2, 64):
        maps = attribution.integrated_gradients(
            output, tokens, baseline, num_steps=steps, hypothetical=hypothetical, batch_size=13
        )
        if hypothetical:
            # an N has no letter to be credited, so its difference to the baseline is left over
            maps, difference_of = attribution.of_sequence(maps, tokens)[:4], difference[:4]
        else:
            difference_of = difference
        errors.append(np.abs(maps.sum(axis=(1, 2)) - difference_of).max())
    assert np.abs(difference).min() > 0.01
    assert errors[1] < 1e-4 < errors[0]


def test_expected_gradients_are_complete_on_average(smooth, tokens):
    output = attribution.network_output(smooth())
    references = attribution.dinucleotide_references(tokens, 4000)
    sums = attribution.expected_gradients(output, tokens, references, batch_size=4000).sum(axis=(1, 2))
    away = output.value(one_hot(references.tokens.reshape(-1, 12))).reshape(5, 4000).mean(axis=1)
    # one reference is off by at most 0.32 (standard deviation over references), the mean over 4000 by 0.005
    difference = output.value(one_hot(tokens)) - away
    assert np.abs(difference).max() > 0.1
    np.testing.assert_allclose(sums, difference, atol=0.015)


def test_baseline_of_every_shape_and_zeros_by_default(smooth, tokens):
    output = attribution.network_output(smooth())
    zeros = attribution.integrated_gradients(output, tokens)
    for shape in ((4,), (12, 4), (5, 12, 4)):
        np.testing.assert_array_equal(attribution.integrated_gradients(output, tokens, np.zeros(shape)), zeros)
    with pytest.raises(ValueError, match=r"Expected a baseline of shape \(5, 12, 4\), \(12, 4\) or \(4,\)"):
        attribution.integrated_gradients(output, tokens, np.zeros((12, 1)))
    with pytest.raises(ValueError, match="num_steps >= 1"):
        attribution.integrated_gradients(output, tokens, num_steps=0)


def test_batches_and_encoding_change_nothing(smooth, tokens):
    output = attribution.network_output(smooth())
    references = attribution.dinucleotide_references(tokens, 7)
    methods = {
        "saliency": lambda x, size: attribution.saliency(output, x, size),
        "ig": lambda x, size: attribution.integrated_gradients(output, x, num_steps=9, batch_size=size),
        "eg": lambda x, size: attribution.expected_gradients(output, x, references, batch_size=size),
        "ism": lambda x, size: attribution.mutagenesis(output, x, size),
    }
    for name, method in methods.items():
        whole = method(tokens, 1000)
        assert whole.dtype == np.float32
        for size in (1, 4):
            np.testing.assert_allclose(method(tokens, size), whole, atol=2e-6, err_msg=name)
        np.testing.assert_array_equal(method(one_hot(tokens), 1000), whole, err_msg=name)
    with pytest.raises(ValueError, match="Expected batch_size >= 1"):
        attribution.saliency(output, tokens, 0)


def test_an_unknown_letter(smooth, tokens):
    output = attribution.network_output(smooth())
    maps = attribution.mutagenesis(output, tokens)
    for letter in range(4):
        changed = tokens[4:].copy()
        changed[0, 3] = letter
        expected = output.value(one_hot(changed)) - output.value(one_hot(tokens[4:]))
        np.testing.assert_allclose(maps[4, 3, letter], expected[0], atol=1e-6)
    assert not attribution.of_sequence(maps, tokens)[4, 3].any()
    assert not attribution.gradient_x_input(output, tokens)[4, 3].any()
    with pytest.raises(DataError, match="Soft or noisy channels have no tokens"):
        attribution.mutagenesis(output, np.full((1, 12, 4), 0.25))


def test_progress_is_told_in_tenths(caplog):
    from degu.attribution.batching import stretches

    with caplog.at_level("INFO", logger="degu.progress"):
        assert [part.stop - part.start for part in stretches(15, 4, "few")] == [4, 4, 4, 3]
        assert not caplog.messages
        assert sum(part.stop - part.start for part in stretches(333, 3, "many")) == 333
    assert len(caplog.messages) == 10
    assert caplog.messages[-1].startswith("many: sequence 333/333")


def test_other_backends_are_refused(smooth, tokens, monkeypatch):
    output = attribution.network_output(smooth())
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ConfigError, match="tensorflow or jax for attributions. Received: torch"):
        attribution.saliency(output, tokens)


@pytest.mark.jax
def test_jax_agrees_with_the_closed_form():
    pytest.importorskip("jax")
    import subprocess
    import sys

    code = (
        "import os; os.environ['KERAS_BACKEND'] = 'jax'\n"
        "import keras, numpy as np\n"
        "from degu import attribution\n"
        "inputs = keras.Input((6, 4)); layer = keras.layers.Dense(1)\n"
        "network = keras.Model(inputs, layer(keras.layers.Flatten()(inputs)))\n"
        "output = attribution.network_output(network)\n"
        "x = np.array([[0, 1, 2, 3, 4, 0]], 'uint8')\n"
        "for factor in (1.0, 2.0):\n"
        "    weights = factor * np.random.default_rng(0).normal(size=(24, 1)).astype('float32')\n"
        "    layer.set_weights([weights, np.ones(1)])\n"
        "    expected = weights.reshape(1, 6, 4)\n"
        "    assert np.allclose(attribution.saliency(output, x), expected, atol=1e-6)\n"
        "    ig = attribution.integrated_gradients(output, x, hypothetical=True)\n"
        "    assert np.allclose(ig, expected, atol=1e-5)\n"
        "    ism = attribution.mutagenesis(output, x)\n"
        "    assert np.allclose(ism[0, 0], expected[0, 0] - expected[0, 0, 0], atol=1e-5)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
