import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degu import EnsemblerBase
from degu.data import RowFile, RowWriter, TokenFile
from degu.data.encoding import one_hot
from degu.train import Batches, train_one_cycle_fun, train_standard_fun, windows
from degu.train.windows import WindowedRows


def write(path, array):
    with RowWriter(path) as writer:
        writer.append(array)
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 10 rows of 6 bases, 3 blocks a window."""
    monkeypatch.setattr(windows, "BLOCK_BYTES", 60)
    monkeypatch.setattr(windows, "BLOCKS_A_WINDOW", 3)


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 5, (97, 6), dtype=np.uint8)


@pytest.fixture
def x(tokens, tmp_path):
    return TokenFile(write(tmp_path / "x.npy", tokens))


def order(batches):
    return np.concatenate([batches[index][1][:, 0] for index in range(len(batches))])


@pytest.mark.usefixtures("small_blocks")
def test_every_row_comes_once_an_epoch_with_its_own_target_and_weight(x, tokens):
    rows = np.arange(97)[:, None]
    for batch_size in (1, 8, 30, 200):
        batches = Batches(x, rows, batch_size, sample_weight=rows[:, 0] * 10, seed=1)
        for _ in range(2):
            assert sorted(order(batches)) == list(range(97))
            for index in range(len(batches)):
                sequences, y, weight = batches[index]
                np.testing.assert_array_equal(sequences, one_hot(tokens[y[:, 0]]))
                np.testing.assert_array_equal(weight, y[:, 0] * 10)
            batches.on_epoch_end()


@pytest.mark.usefixtures("small_blocks")
def test_targets_may_be_a_file_too(x, tokens, tmp_path):
    y = RowFile(write(tmp_path / "y.npy", np.arange(97, dtype=np.float32)[:, None]))
    for sequences, targets in (Batches(x, y, 16, seed=3)[index] for index in range(7)):
        np.testing.assert_array_equal(sequences, one_hot(tokens[targets[:, 0].astype(int)]))


@pytest.mark.usefixtures("small_blocks")
def test_the_order_depends_on_seed_and_epoch_alone(x):
    rows = np.arange(97)[:, None]
    orders = {}
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        by_size = []
        for batch_size in (8, 97):
            batches = Batches(x, rows, batch_size, seed=seed)
            batches.start_epoch(epoch)
            np.random.rand()  # noqa: NPY002
            by_size.append(order(batches))
        np.testing.assert_array_equal(*by_size)
        orders[seed, epoch] = tuple(by_size[0])
    assert len(set(orders.values())) == 3


@pytest.mark.usefixtures("small_blocks")
def test_a_window_holds_whole_blocks_in_random_order(x):
    blocks = order(Batches(x, np.arange(97)[:, None], 97, seed=0)) // 10
    first = blocks[:30]
    assert len(set(first)) == 3
    assert all((first == block).sum() == 10 for block in set(first))
    assert sorted(set(first)) != [0, 1, 2]
    assert (np.diff(first) != 0).sum() > 10


@pytest.mark.usefixtures("small_blocks")
def test_a_batch_may_be_asked_for_again(x):
    batches = Batches(x, np.arange(97)[:, None], 8, seed=5)
    np.testing.assert_array_equal(order(batches), order(batches))
    np.testing.assert_array_equal(batches[9][1], order(batches)[72:80, None])


@pytest.mark.usefixtures("small_blocks")
def test_a_window_is_read_once_an_epoch(x, monkeypatch):
    reads = []
    read = TokenFile.read
    monkeypatch.setattr(TokenFile, "read", lambda self, *given: reads.append(given[:2]) or read(self, *given))
    batches = Batches(x, np.arange(97)[:, None], 7, seed=0)
    order(batches)
    assert sorted(reads) == [(start, min(start + 10, 97)) for start in range(0, 97, 10)]


@given(st.integers(1, 200), st.integers(0, 2**31 - 1), st.integers(1, 20))
def test_any_number_of_rows_is_covered(rows, seed, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "BLOCK_BYTES", 7)
        reader = WindowedRows([np.zeros((rows, 1), np.uint8), np.arange(rows)], seed, 0)
    given_out = np.concatenate([reader.take(start, start + size)[1] for start in range(0, rows, size)])
    assert sorted(given_out) == list(range(rows))


def test_without_a_seed_the_order_is_that_of_the_file(x, tokens):
    batches = Batches(x, np.arange(97)[:, None], 10)
    np.testing.assert_array_equal(order(batches), np.arange(97))
    np.testing.assert_array_equal(batches[1][0], one_hot(tokens[10:20]))
    np.testing.assert_array_equal(Batches(x)[0], one_hot(tokens))


def test_lengths_must_agree(x):
    with pytest.raises(ValueError, match="y of length 97, as x. Received: 5"):
        Batches(x, np.zeros((5, 1)))


@pytest.mark.parametrize("train_fun", [train_standard_fun, train_one_cycle_fun])
def test_recipes_train_from_files_as_from_arrays(conv_net, splits, tmp_path, train_fun):
    """96 rows of 40 bp are one window: training from a file learns as much, in another order."""
    x = TokenFile(write(tmp_path / "x.npy", splits.train.tokens))
    y = RowFile(write(tmp_path / "y.npy", splits.train.targets))
    ensembler = EnsemblerBase(conv_net())
    for sequences, targets in ((x, y), (x, splits.train.targets)):
        [history] = ensembler.train(
            sequences,
            targets,
            1,
            train_fun,
            (TokenFile(write(tmp_path / f"v{len(ensembler.members)}.npy", splits.valid.tokens)), splits.valid.targets),
            tmp_path / "m",
            standardize=True,
            max_epochs=3,
            batch_size=16,
        )
        assert history.history["loss"][-1] < history.history["loss"][0]
    assert ensembler.predict(x).members.shape == (2, 96, 2)
