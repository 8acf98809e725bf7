"""Arrays that a study keeps, cut short or altered on the disk, are named; what can be had again is."""

import io
import zipfile

import numpy as np
import pytest

from degu.attribution.references import References
from degu.data import read_npz
from degu.ensemble.cache import PredictionCache
from degu.errors import DataError
from degu.manifest.rows import read_row_digests
from degu.report.arrays import LOGO_ARRAYS, TEST_ARRAYS, read_logos, read_test_arrays

READERS = {
    "references.npz": References.load,
    "rows.npz": read_row_digests,
    TEST_ARRAYS: lambda path: read_test_arrays(path.parents[1]),
    LOGO_ARRAYS: lambda path: read_logos(path.parents[1]),
    "my.npz": read_npz,
}
NAMES = ("tokens", *(f"{kind}_{split}" for kind in "xy" for split in ("train", "valid", "test")))


def npy(header="{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"):
    """Return a `.npy` file of two rows of three zeros, with this text as its header."""
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1") + bytes(6)


def npz(member):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in NAMES:
            archive.writestr(f"{name}.npy", member)
    return buffer.getvalue()


DAMAGED = {
    "cut short": npz(npy())[:-30],
    "nothing": b"",
    "no zip": b"PK\x03\x04" + bytes(50),
    "open bracket": npz(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3,")),
    "no literal": npz(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2 3), }")),
    "other type": npz(npy("{'descr': '|x9', 'fortran_order': False, 'shape': (2, 3), }")),
    "wrong indent": npz(npy("{'descr': \n  0\n 1")),
    "another byte": npz(npy()).replace(b"\n" + bytes(6), b"\n" + b"\x01" * 6),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named(tmp_path, name, damage):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(DataError, match=path.name):
        READERS[name](path)


def test_an_array_that_is_missing_is_named(tmp_path):
    path = tmp_path / TEST_ARRAYS
    path.parent.mkdir()
    np.savez(path, target_names=np.array(["activity"]), ensemble_mean=np.zeros((2, 1)))
    with pytest.raises(DataError, match=r"test\.npz: expected an array 'student_mean', received .*ensemble_mean"):
        read_test_arrays(tmp_path)


def test_a_damaged_prediction_is_computed_anew(tmp_path, caplog):
    values = np.arange(3.0)
    PredictionCache(tmp_path).put("key", values)
    np.testing.assert_array_equal(PredictionCache(tmp_path).get("key"), values)
    (tmp_path / "key.npy").write_bytes(npy("{'descr'")[:40])
    assert PredictionCache(tmp_path).get("key") is None
    assert "key.npy" in caplog.text
