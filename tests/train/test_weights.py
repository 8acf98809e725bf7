import logging

import h5py
import keras
import numpy as np
import pytest

from degu.errors import EnsembleError
from degu.train.weights import load_weights, refuse_overwrite, save_weights


def dense(layers=3, width=3):
    inputs = keras.Input((4,))
    x = inputs
    for _ in range(layers):
        x = keras.layers.Dense(width)(x)
    return keras.Model(inputs, x)


def same(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_weights_come_back_and_folders_are_made(tmp_path, conv_net):
    model, other = conv_net()(), conv_net()()
    save_weights(model, tmp_path / "a" / "b" / "model_0.weights.h5")
    assert not same(model, other)
    load_weights(other, tmp_path / "a" / "b" / "model_0.weights.h5")
    assert same(model, other)


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    class Fails(keras.layers.Dense):
        def save_own_variables(self, store):
            super().save_own_variables(store)
            raise OSError("disk full")

    path = tmp_path / "model.weights.h5"
    model = dense()
    save_weights(model, path)
    before = path.read_bytes()
    inputs = keras.Input((4,))
    with pytest.raises(OSError, match="disk full"):
        save_weights(keras.Model(inputs, Fails(3)(inputs)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def whole_model_of_keras_2(model, folder, monkeypatch):
    monkeypatch.setattr(logging.getLogger("absl"), "disabled", True)
    model.save(folder / "model_0.h5")
    return folder / "model_0.h5"


def renamed_weights(model, folder, monkeypatch):
    save_weights(model, folder / "old.weights.h5")
    return (folder / "old.weights.h5").rename(folder / "model_0.h5")


def renamed_whole_model(model, folder, monkeypatch):
    return whole_model_of_keras_2(model, folder, monkeypatch).rename(folder / "model_0.weights.h5")


def another_suffix(model, folder, monkeypatch):
    save_weights(model, folder / "old.weights.h5")
    return (folder / "old.weights.h5").rename(folder / "model_0.hdf5")


@pytest.mark.parametrize("write", [whole_model_of_keras_2, renamed_weights, renamed_whole_model, another_suffix])
def test_content_decides_not_the_name(tmp_path, monkeypatch, conv_net, write):
    model, other = conv_net()(), conv_net()()
    path = write(model, tmp_path, monkeypatch)
    load_weights(other, path)
    assert same(model, other)


@pytest.mark.parametrize("other", [dense(4), dense(2), dense(3, width=5)], ids=["longer", "shorter", "wider"])
@pytest.mark.parametrize("write", [whole_model_of_keras_2, renamed_weights])
def test_another_architecture_is_refused(tmp_path, monkeypatch, other, write):
    path = write(dense(), tmp_path, monkeypatch)
    with pytest.raises(EnsembleError, match=rf"model_0.h5 to hold weights of model '{other.name}' \(\d+ parameters\)"):
        load_weights(other, path)


def test_weights_of_a_compiled_and_trained_model_fit_a_fresh_one(tmp_path, conv_net):
    model, other = conv_net(dropout=0.1)(), conv_net(dropout=0.1)()
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 40, 4)), np.zeros((2, 2)), verbose=0)
    save_weights(model, tmp_path / "model.weights.h5")
    load_weights(other, tmp_path / "model.weights.h5")
    assert same(model, other)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EnsembleError, match=r"weights at .*nowhere.weights.h5. Received: no such file"):
        load_weights(dense(), tmp_path / "nowhere.weights.h5")


def test_files_that_are_not_weights_are_refused(tmp_path):
    (tmp_path / "text.weights.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "empty.weights.h5", "w"):
        pass
    for name in ("text", "empty"):
        with pytest.raises(EnsembleError, match=f"{name}.weights.h5 to hold weights"):
            load_weights(dense(), tmp_path / f"{name}.weights.h5")


def test_existing_files_are_kept_unless_asked(tmp_path):
    path = tmp_path / "member_0.weights.h5"
    path.write_text("precious")
    with pytest.raises(EnsembleError, match=r"no file at .*member_0.weights.h5. .*overwrite=True"):
        refuse_overwrite([tmp_path / "new.weights.h5", path], overwrite=False)
    refuse_overwrite([path], overwrite=True)
    assert path.read_text() == "precious"


def test_a_place_that_is_no_folder_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *args: False)
    with pytest.raises(EnsembleError, match="Received: no permission"):
        refuse_overwrite([tmp_path / "new" / "member_0.weights.h5"], overwrite=False)
