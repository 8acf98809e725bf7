import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degu.data.encoding import one_hot
from degu.train import Batches
from degu.train.batches import predict

TOKENS = np.random.default_rng(0).integers(0, 5, (23, 6), dtype=np.uint8)
ROWS = np.arange(23)[:, None]


def order(batches):
    return np.concatenate([batches[i][1][:, 0] for i in range(len(batches))])


@given(st.integers(1, 30), st.integers(0, 2**31 - 1))
def test_every_epoch_covers_every_row_once(batch_size, seed):
    batches = Batches(TOKENS, ROWS, batch_size, seed=seed)
    for _ in range(3):
        assert sorted(order(batches)) == list(range(23))
        batches.on_epoch_end()


def test_order_depends_on_seed_and_epoch_alone():
    first, second = Batches(TOKENS, ROWS, 5, seed=0), Batches(TOKENS[::-1], ROWS, 7, seed=0)
    np.random.rand()  # noqa: NPY002
    orders = []
    for _ in range(4):
        np.testing.assert_array_equal(order(first), order(second))
        orders.append(tuple(order(first)))
        first.on_epoch_end()
        second.on_epoch_end()
    assert len(set(orders)) == 4
    assert tuple(order(Batches(TOKENS, ROWS, 5, seed=1))) not in orders


def test_without_a_seed_the_order_is_as_given():
    batches = Batches(TOKENS, ROWS, 5)
    batches.on_epoch_end()
    np.testing.assert_array_equal(order(batches), np.arange(23))


def test_rows_of_sequence_target_and_weight_stay_together():
    batches = Batches(TOKENS, ROWS, 5, sample_weight=np.arange(23) * 10, seed=2)
    for index in range(len(batches)):
        x, y, weight = batches[index]
        np.testing.assert_array_equal(x, one_hot(TOKENS[y[:, 0]]))
        np.testing.assert_array_equal(weight, y[:, 0] * 10)


def test_tokens_and_encoded_arrays_give_the_same_batches():
    encoded = one_hot(TOKENS)
    for x in (encoded, encoded.astype(np.int64)):
        batch = Batches(x, batch_size=23)[0]
        assert batch.dtype == np.float32
        np.testing.assert_array_equal(batch, Batches(TOKENS, batch_size=23)[0])


def test_unknown_bases_are_rows_of_zeros():
    assert not Batches(np.full((1, 6), 4, np.uint8))[0].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": TOKENS.astype(int)}, r"tokens \(N, L\) uint8 .* Received: shape \(23, 6\), dtype int64"),
        ({"x": np.zeros(4)}, r"Received: shape \(4,\)"),
        ({"x": TOKENS, "y": ROWS[:5]}, "y of length 23, as x. Received: 5"),
        ({"x": TOKENS, "sample_weight": np.ones(3)}, "sample_weight of length 23, as x. Received: 3"),
        ({"x": TOKENS, "batch_size": 0}, "batch_size >= 1. Received: batch_size=0"),
    ],
)
def test_unusable_arrays_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Batches(**arguments)


def test_predictions_keep_the_order_of_the_sequences(conv_net, splits):
    model = conv_net()()
    whole = predict(model, splits.test.tokens, 512)
    np.testing.assert_allclose(predict(model, splits.test.tokens, 7), whole, rtol=1e-5, atol=1e-6)
    one_by_one = np.concatenate([predict(model, splits.test.tokens[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(one_by_one, whole[:3], rtol=1e-5, atol=1e-6)
