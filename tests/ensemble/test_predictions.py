import keras
import numpy as np
import pytest

from degu import EnsemblerBase, utils
from degu.data.encoding import one_hot
from degu.ensemble import PredictionCache
from degu.errors import EnsembleError
from degu.models.heads import Evidential, Gaussian
from degu.train.batches import predict
from degu.uncertainty import Spread


@pytest.fixture
def trained(conv_net, splits, shift, tmp_path):
    """Return a function that trains an ensemble of three, without training."""

    def train(build=None, num_ensemble=3, **kwargs):
        ensembler = EnsemblerBase(build or conv_net(), **kwargs)
        ensembler.train(splits.train.tokens, splits.train.targets, num_ensemble, shift, save_prefix=tmp_path / "m")
        return ensembler

    return train


@pytest.fixture
def x(splits):
    return splits.test.tokens


@pytest.fixture
def counted(monkeypatch):
    """Numbers of members and sequences and the batch size of all predictions of members."""
    from degu.ensemble.group import Group

    calls, predict_together = [], Group.predict

    def counting(self, members, digests, x, batch_size):
        calls.append((len(members), len(x), batch_size))
        return predict_together(self, members, digests, x, batch_size)

    monkeypatch.setattr(Group, "predict", counting)
    return calls


def with_head(head):
    def build():
        inputs = keras.Input((40, 4))
        return keras.Model(inputs, head(keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(6, 5)(inputs)), 2))

    return build


def test_columns_of_a_prediction(trained, x):
    ensembler = trained(uncertainty_fun=utils.std)
    mean, epistemic, aleatoric, members = ensembler.predict(x)
    singles = np.stack([predict(model, x) for model in ensembler.load_members()])
    np.testing.assert_allclose(members, singles, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mean, members.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(epistemic, members.std(axis=0, ddof=1), rtol=1e-4)
    assert aleatoric is None
    assert mean.dtype == epistemic.dtype == members.dtype == np.float32


def test_one_member_reduces_to_itself(trained, x):
    ensembler = trained(num_ensemble=1, uncertainty_fun=Spread("std", floor=0.01))
    prediction = ensembler.predict(x)
    np.testing.assert_array_equal(prediction.mean, prediction.members[0])
    np.testing.assert_allclose(prediction.epistemic, 0.01)


@pytest.mark.parametrize("head", [Gaussian("std"), Gaussian("var"), Gaussian("logvar"), Evidential()], ids=str)
def test_one_member_with_noise_reduces_to_itself(trained, x, head):
    ensembler = trained(with_head(head), num_ensemble=1)
    prediction, outputs = ensembler.predict(x), predict(ensembler.load_members()[0], x).astype(float)
    expected = outputs[:, 2:4]
    if head == Evidential():
        expected = np.sqrt(outputs[:, 6:8] / (outputs[:, 4:6] - 1))
    elif head.unit != "std":
        expected = np.sqrt(expected) if head.unit == "var" else np.exp(expected / 2)
    np.testing.assert_allclose(prediction.mean, outputs[:, :2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(prediction.aleatoric, expected, rtol=1e-4)
    assert ensembler.num_targets == 2
    assert ensembler.aleatoric_targets == (0, 1)


def test_noise_and_disagreement_add_up_to_the_variance_of_the_mixture(trained, x):
    ensembler = trained(with_head(Gaussian("std")), uncertainty_fun=Spread("std", ddof=0))
    prediction = ensembler.predict(x[:3])
    outputs = np.stack([predict(model, x[:3]) for model in ensembler.load_members()]).astype(float)
    draws = np.random.default_rng(0).normal(outputs[..., :2], outputs[..., 2:], size=(40_000, *outputs[..., :2].shape))
    mixture = np.moveaxis(draws, 2, 0).reshape(3, -1, 2).var(axis=1)
    np.testing.assert_allclose(prediction.epistemic**2 + prediction.aleatoric**2, mixture, rtol=0.03)


def test_batch_size_and_encoding_do_not_change_predictions(trained, x, counted):
    ensembler = trained()
    whole = ensembler.predict(x).members
    for batch_size in (1, 7):
        again = EnsemblerBase(ensembler.base_model, ensembler.weight_paths)
        np.testing.assert_allclose(again.predict(x, batch_size).members, whole, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ensembler.predict(one_hot(x)).members, whole, rtol=1e-5, atol=1e-5)
    assert [size for *_, size in counted] == [512, 1, 7, 512]


def test_order_of_members_is_that_of_their_files(trained, x):
    ensembler = trained()
    turned = EnsemblerBase(ensembler.base_model, ensembler.weight_paths[::-1])
    one, other = ensembler.predict(x), turned.predict(x)
    np.testing.assert_array_equal(other.members, one.members[::-1])
    np.testing.assert_allclose(other.mean, one.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.epistemic, one.epistemic, rtol=1e-5, atol=1e-6)


def test_units_kept_beside_the_weights_are_used(conv_net, splits, shift, tmp_path, x):
    arguments = (splits.train.tokens, 10 + 5 * splits.train.targets, 2, shift)
    plain, scaled = EnsemblerBase(conv_net(activation="tanh")), EnsemblerBase(conv_net(activation="tanh"))
    plain.train(*arguments, save_prefix=tmp_path / "a")
    scaled.train(*arguments, save_prefix=tmp_path / "b", standardize=True)
    mean, scale = arguments[1].mean(axis=0), arguments[1].std(axis=0)
    expected = plain.predict(x).members * scale + mean
    np.testing.assert_allclose(scaled.predict(x).members, expected, rtol=1e-4, atol=1e-4)
    elsewhere = EnsemblerBase(scaled.base_model, scaled.weight_paths)
    np.testing.assert_allclose(elsewhere.predict(x).members, expected, rtol=1e-4, atol=1e-4)


def test_predictions_are_computed_once(trained, x, counted):
    ensembler = trained()
    first = ensembler.predict(x)
    assert counted == [(3, 40, 512)]
    np.testing.assert_array_equal(ensembler.predict(x.copy()).members, first.members)
    assert len(counted) == 1
    ensembler.predict(x[:5])
    assert counted[1:] == [(3, 5, 512)]


def test_predictions_on_disk_are_found_by_another_process(trained, x, counted, tmp_path):
    folder = tmp_path / "predictions"
    ensembler = trained(cache=PredictionCache(folder))
    first = ensembler.predict(x)
    (file,) = folder.iterdir()
    assert np.load(file, allow_pickle=False).shape == (3, 40, 2)
    other = EnsemblerBase(ensembler.base_model, ensembler.weight_paths, cache=PredictionCache(folder))
    np.testing.assert_array_equal(other.predict(x).members, first.members)
    assert len(counted) == 1


def test_another_member_or_other_weights_are_predicted_anew(trained, x, shift, splits, tmp_path):
    ensembler = trained()
    before = ensembler.predict(x).members
    ensembler.train(splits.train.tokens, splits.train.targets, 1, shift, save_prefix=tmp_path / "m")
    np.testing.assert_array_equal(ensembler.predict(x).members[:3], before)
    assert ensembler.predict(x).members.shape == (4, 40, 2)
    (tmp_path / "m_0.weights.h5").write_bytes((tmp_path / "m_3.weights.h5").read_bytes())
    after = ensembler.predict(x).members
    np.testing.assert_array_equal(after[0], after[3])
    assert np.abs(after[0] - before[0]).max() > 1e-3


def test_cached_predictions_cannot_be_changed_by_accident(trained, x):
    ensembler = trained()
    before = ensembler.predict(x).members.copy()
    with pytest.raises(ValueError, match="read-only"):
        ensembler.predict_members(x)[:] = 0
    ensembler.predict(x).members[:] = 0
    np.testing.assert_array_equal(ensembler.predict(x).members, before)


def test_memory_is_bounded():
    cache = PredictionCache(in_memory=2)
    for name in "abc":
        cache.put(name, np.zeros(1))
    assert [cache.get(name) is not None for name in "abc"] == [False, True, True]
    cache.get("b")
    cache.put("d", np.zeros(1))
    assert cache.get("b") is not None


def test_key_tells_members_order_sequences_and_dtypes_apart():
    x = np.arange(12, dtype=np.uint8).reshape(3, 4)
    keys = [
        PredictionCache.key(["a", "b"], x),
        PredictionCache.key(["b", "a"], x),
        PredictionCache.key(["a"], x),
        PredictionCache.key(["a", "b"], x[::-1]),
        PredictionCache.key(["a", "b"], x.reshape(4, 3)),
        PredictionCache.key(["a", "b"], x.astype(np.float32)),
    ]
    assert len(set(keys)) == len(keys)
    assert PredictionCache.key(["a", "b"], np.asfortranarray(x)) == keys[0]


def test_an_ensemble_without_members_says_so(conv_net, x):
    with pytest.raises(EnsembleError, match="Received: none. Train it or pass weight_paths"):
        EnsemblerBase(conv_net()).predict(x)


def test_a_missing_file_is_named_before_anything_is_predicted(trained, x, counted, tmp_path):
    ensembler = trained()
    (tmp_path / "m_2.weights.h5").unlink()
    with pytest.raises(EnsembleError, match=r"m_2.weights.h5. Received: no such file"):
        ensembler.predict(x)
    assert not counted
