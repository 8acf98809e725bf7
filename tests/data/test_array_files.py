from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degu.data import Splits, detokenize, one_hot, read_hdf5, read_npz, tokenize
from degu.errors import DataError

SIZES = {"Train": 6, "Valid": 3, "Test": 4}


def parts(seed: int = 0, length: int = 7, targets: int = 2) -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    return {
        name: (rng.integers(0, 5, (size, length), dtype=np.uint8), rng.normal(size=(size, targets)).astype("f4"))
        for name, size in SIZES.items()
    }


FORMS = {
    "one-hot": one_hot,
    "channels-first": lambda tokens: one_hot(tokens).transpose(0, 2, 1),
    "one-hot-bool": lambda tokens: one_hot(tokens).astype(bool),
    "tokens": lambda tokens: tokens,
    "bytes": lambda tokens: np.array(detokenize(tokens), dtype="S"),
    "strings": lambda tokens: np.array(detokenize(tokens), dtype=h5py.string_dtype()),
}
LAYOUTS = {
    "flat": ("X_{split}", "y_{split}", ("Train", "Valid", "Test")),
    "flat-lower": ("x_{split}", "y_{split}", ("train", "valid", "test")),
    "hierarchical": ("{split}/X", "{split}/y", ("Train", "Val", "Test")),
}


def write(path: Path, layout: str, form: str = "one-hot", transposed: bool = False) -> dict[str, Any]:
    x, y, names = LAYOUTS[layout]
    found = parts()
    arrays = {}
    for name, (tokens, values) in zip(names, found.values(), strict=True):
        arrays[x.replace("{split}", name)] = FORMS[form](tokens)
        arrays[y.replace("{split}", name)] = values.T if transposed else values
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return found


def check(splits: Splits, found: dict[str, Any]) -> None:
    for (_, part), (tokens, values) in zip(splits.items(), found.values(), strict=True):
        np.testing.assert_array_equal(part.tokens, tokens)
        np.testing.assert_array_equal(part.targets, values)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("transposed", [False, True])
def test_layouts_and_forms_in_hdf5(tmp_path: Path, layout: str, form: str, transposed: bool) -> None:
    path = tmp_path / "a.h5"
    found = write(path, layout, form, transposed)
    splits = read_hdf5(path)
    check(splits, found)
    assert splits.target_names == ("target_0", "target_1")
    assert splits.train.ids.tolist()[:2] == ["train-0", "train-1"]


@pytest.mark.parametrize("layout", ["flat", "flat-lower"])
@pytest.mark.parametrize("form", ["one-hot", "tokens", "bytes"])
def test_layouts_and_forms_in_npz(tmp_path: Path, layout: str, form: str) -> None:
    path = tmp_path / "a.npz"
    found = write(path, layout, form, transposed=True)
    check(read_npz(path, targets=["Dev", "Hk"]), found)


def test_keys_of_the_user_and_columns_with_deviations(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    found = parts()
    with h5py.File(path, "w") as file:
        for name, (tokens, values) in found.items():
            file[f"data/{name.lower()}/seq"] = tokens
            file[f"data/{name.lower()}/act"] = abs(values)
    splits = {"train": "train", "valid": "valid", "test": "test"}
    with pytest.raises(DataError, match=r"expected an array 'data/train/seq', received 'data/test'"):
        read_hdf5(path, x="data/{split}/seq", y="data/{split}/act", splits=splits)
    with h5py.File(path, "a") as file:
        for name in ("train", "valid", "test"):
            file[name] = h5py.SoftLink(f"/data/{name}")
    read = read_hdf5(
        path, targets=["K562"], x="{split}/seq", y="{split}/act", splits=splits, columns=[0], std_columns=[1]
    )
    np.testing.assert_array_equal(read.test.targets[:, 0], abs(found["Test"][1][:, 0]))
    np.testing.assert_array_equal(read.test.target_std[:, 0], abs(found["Test"][1][:, 1]))


def test_many_rows_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    found = write(path, "flat")
    monkeypatch.setattr("degu.data.hdf5._CELLS", 60)
    check(read_hdf5(path), found)


def spoil(path: Path, kind: str) -> None:
    write(path, "flat")
    with h5py.File(path, "a") as file:
        if kind in file:
            del file[kind]
            return
        if kind == "external link":
            with h5py.File(path.with_name("other.h5"), "w") as other:
                other["x"] = np.zeros((6, 7), np.uint8)
            del file["X_Train"]
            file["X_Train"] = h5py.ExternalLink("other.h5", "/x")
        if kind == "soft link":
            del file["X_Train"]
            file["X_Train"] = h5py.SoftLink("/nowhere")
        if kind == "loop":
            del file["X_Train"]
            file["X_Train"] = h5py.SoftLink("/X_Train")
        if kind == "external data":
            del file["X_Train"]
            path.with_name("raw").write_bytes(bytes(42))
            file.create_dataset("X_Train", (6, 7), "u1", external=[(path.with_name("raw"), 0, 42)])
        if kind == "virtual":
            with h5py.File(path.with_name("other.h5"), "w") as other:
                other["x"] = np.zeros((6, 7), np.uint8)
            layout = h5py.VirtualLayout((6, 7), "u1")
            layout[:] = h5py.VirtualSource("other.h5", "x", (6, 7))
            del file["X_Train"]
            file.create_virtual_dataset("X_Train", layout)
        if kind == "objects":
            del file["y_Train"]
            file.create_dataset("y_Train", (6,), h5py.ref_dtype)
        if kind == "bomb":
            del file["X_Train"]
            file.create_dataset("X_Train", (1 << 30, 250), "u1", chunks=(1 << 10, 250))
        if kind == "group":
            del file["X_Train"]
            file.create_group("X_Train")
            file["X_Train/x"] = np.zeros(3)
        if kind == "shape":
            del file["y_Train"]
            file["y_Train"] = np.zeros((5, 2))
        if kind == "infinite":
            file["y_Train"][2, 1] = np.inf
        if kind == "soft":
            file["X_Train"][0, 0] = 0.3
        if kind == "text":
            del file["y_Train"]
            file["y_Train"] = np.array([b"a"] * 6)
        if kind == "nothing measured":
            file["y_Train"][...] = np.nan


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("y_Test", r"expected arrays such as X_Train and y_Train.*received 'X_Test'"),
        ("external link", r"a link to another file, 'other.h5'"),
        ("soft link", r"X_Train: expected an array, received nothing|nowhere: expected an array"),
        ("loop", r"more than 8 links in a row"),
        ("external data", r"X_Train: expected data in this file"),
        ("virtual", r"X_Train: expected data in this file"),
        ("objects", r"y_Train: expected numbers or strings, received objects"),
        ("bomb", r"X_Train: expected data, received shape \(1073741824, 250\)"),
        ("group", r"expected arrays such as X_Train"),
        ("shape", r"y_Train: expected shape \(6, K\)"),
        ("infinite", r"y_Train, row 2, column 1 .*received inf"),
        ("soft", r"X_Train, rows from 0: .*index \(0, 0\): expected a single 1"),
        ("text", r"y_Train: expected numbers"),
        ("nothing measured", r"train split: expected measured targets"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, kind: str, message: str) -> None:
    path = tmp_path / "a.h5"
    spoil(path, kind)
    with pytest.raises(DataError, match=message) as error:
        read_hdf5(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(300), b"text"])
def test_files_that_are_no_hdf5(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(DataError, match="expected an HDF5 file"):
        read_hdf5(path)


def test_objects_in_npz_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write(path, "flat")
    with np.load(path) as good:
        arrays = dict(good)
    arrays["y_Train"] = np.array([{"a": 1}] * 6, dtype=object)
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(DataError, match="y_Train: expected numbers or strings, received Python objects"):
        read_npz(path)


def test_an_npz_header_cannot_promise_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write(path, "flat")
    with np.load(path) as good:
        arrays = dict(good)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 250)})
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{name}.npy", head.getvalue() if name == "X_Train" else member.getvalue())
    with pytest.raises(DataError, match="X_Train: expected rows, received shape"):
        read_npz(path)


def test_splits_from_arrays_take_strings_tokens_and_one_hot() -> None:
    tokens = tokenize(["ACGT", "TTNA", "GGGG"])
    y = np.array([0.5, np.nan, 1.5])
    splits = Splits.from_arrays((["ACGT", "TTNA", "GGGG"], y), (tokens, y), (one_hot(tokens), y[:, None]))
    assert splits.train.ids.tolist() == ["train-0", "train-2"]
    for _, part in splits.items():
        assert detokenize(part.tokens) == ["ACGT", "GGGG"]
    with pytest.raises(DataError, match="valid split, targets: expected shape"):
        Splits.from_arrays((tokens, y), (tokens, y[:2]), (tokens, y))
    std = Splits.from_arrays(*[(tokens, y, np.full(3, 0.1))] * 3, target_names=["a"])
    np.testing.assert_allclose(std.test.target_std, 0.1)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), length=st.integers(1, 9).filter(lambda n: n != 4), targets=st.integers(1, 3))
def test_arrays_survive_a_file(tmp_path_factory: pytest.TempPathFactory, data: Any, length: int, targets: int) -> None:
    found = parts(data.draw(st.integers(0, 1000)), length, targets)
    form = FORMS[data.draw(st.sampled_from(["one-hot", "channels-first", "tokens", "bytes"]))]
    path = tmp_path_factory.mktemp("round") / "a.npz"
    arrays = {f"x_{name.lower()}": form(tokens) for name, (tokens, _) in found.items()}
    arrays |= {f"y_{name.lower()}": values for name, (_, values) in found.items()}
    np.savez(path, **arrays)
    check(read_npz(path), found)
