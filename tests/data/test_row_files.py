import numpy as np
import pytest

from degu.data import RowFile, RowWriter, TokenFile
from degu.data.row_files import chunks
from degu.errors import DataError

TOKENS = np.random.default_rng(0).integers(0, 5, (23, 6), dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "tokens.npy"


def written(path, array, size=5, **arguments):
    with RowWriter(path, **arguments) as writer:
        for rows in chunks(len(array), size):
            writer.append(array[rows])
    return path


def write_parts(path, parts):
    with RowWriter(path) as writer:
        for rows in parts:
            writer.append(rows)


@pytest.mark.parametrize("array", [TOKENS, TOKENS * 1.5, np.arange(23), np.float32(TOKENS)[:, :, None]])
def test_what_is_written_in_chunks_is_what_numpy_saves(path, tmp_path, array):
    np.save(tmp_path / "whole.npy", array)
    assert written(path, array).read_bytes() == (tmp_path / "whole.npy").read_bytes()
    np.testing.assert_array_equal(RowFile(path)[:], array)


def test_rows_are_read_like_those_of_an_array(path):
    file = TokenFile(written(path, TOKENS))
    assert (len(file), file.shape, file.dtype, file.ndim, file.row_bytes) == (23, (23, 6), np.uint8, 2, 6)
    for rows in (slice(3, 9), slice(None), slice(20, 99), slice(-3, None), slice(5, 5), slice(9, 3)):
        np.testing.assert_array_equal(file[rows], TOKENS[rows])
    rows = np.array([7, 0, 7, 22])
    np.testing.assert_array_equal(file[rows], TOKENS[rows])
    out = np.zeros((4, 6), np.uint8)
    assert file.read(2, 6, out) is out
    np.testing.assert_array_equal(out, TOKENS[2:6])
    file.announce(0, 23)


def test_as_an_array_it_is_a_read_only_map(path):
    array = np.asarray(TokenFile(written(path, TOKENS)))
    np.testing.assert_array_equal(array, TOKENS)
    assert not array.flags.writeable
    assert isinstance(array.base, np.memmap) or isinstance(array, np.memmap)
    assert np.array(TokenFile(path), dtype=np.float64).dtype == np.float64


def test_files_of_numpy_are_read(tmp_path):
    np.save(tmp_path / "x.npy", TOKENS)
    np.testing.assert_array_equal(TokenFile(tmp_path / "x.npy")[:], TOKENS)


@pytest.mark.parametrize("rows", [(0, 24), (-1, 3), (5, 4)])
def test_rows_that_are_not_there_are_refused(path, rows):
    with pytest.raises(DataError, match=f"between 0 and 23, received {rows[0]} to {rows[1]}"):
        TokenFile(written(path, TOKENS)).read(*rows)


def test_steps_are_refused(path):
    with pytest.raises(DataError, match="step 1, received step 2"):
        TokenFile(written(path, TOKENS))[::2]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (TOKENS.astype(np.int64), "received shape \\(23, 6\\), dtype int64"),
        (TOKENS[0], "received shape \\(6,\\)"),
        (TOKENS[:0], "received shape \\(0, 6\\)"),
        (np.asfortranarray(TOKENS), "not in C order"),
        (np.array(["A"], dtype=object), "Python objects"),
    ],
)
def test_what_holds_no_tokens_is_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=message):
        TokenFile(tmp_path / "x.npy")


def test_files_that_are_damaged_or_missing_are_named(path, tmp_path):
    with pytest.raises(DataError, match=r"missing.npy: expected a .npy file, received: .*No such file"):
        RowFile(tmp_path / "missing.npy")
    written(path, TOKENS)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=rf"expected {len(content)} bytes, received {len(content) - 1}"):
        RowFile(path)
    path.write_bytes(b"sequence\tactivity\n")
    with pytest.raises(DataError, match="expected a .npy file"):
        RowFile(path)


def test_a_file_that_became_shorter_is_noticed(path):
    file = TokenFile(written(path, TOKENS))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match="expected 10 more bytes, received the end of the file"):
        file[:]


@pytest.mark.parametrize("wrong", [TOKENS[:, :5], TOKENS.astype(float), np.uint8(1)])
def test_rows_unlike_the_first_are_refused_and_leave_no_file(path, wrong):
    with pytest.raises(DataError, match=r"expected rows of shape \(6,\), dtype uint8.*behind 23 rows"):
        write_parts(path, [TOKENS, wrong])
    assert list(path.parent.iterdir()) == []


def broken_off():
    yield TOKENS
    raise KeyError("the source of the rows broke off")


@pytest.mark.parametrize(("parts", "error"), [(broken_off(), KeyError), ([], DataError)])
def test_a_file_appears_whole_or_not_at_all(path, parts, error):
    with pytest.raises(error):
        write_parts(path, parts)
    assert list(path.parent.iterdir()) == []


def test_an_existing_file_is_kept_unless_it_may_be_replaced(path):
    written(path, TOKENS)
    with pytest.raises(DataError, match="Set overwrite=True"):
        RowWriter(path)
    written(path, TOKENS[:4], overwrite=True)
    np.testing.assert_array_equal(RowFile(path)[:], TOKENS[:4])


def test_other_names_are_refused(tmp_path):
    with pytest.raises(DataError, match="ends in .npy"):
        RowWriter(tmp_path / "tokens.bin")


def test_chunks_cover_every_row_once():
    assert list(chunks(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(chunks(0, 3)) == []
