"""The pieces of a stack: launches, seats, data on the device."""

import numpy as np
import pytest

from degu.data import one_hot
from degu.stacked.device import DeviceData, encode
from degu.stacked.seats import Seats
from degu.stacked.steps import STEPS_A_LAUNCH, in_order, launches


@pytest.mark.parametrize("rows", [1, 6, 7, 7 * STEPS_A_LAUNCH, 7 * STEPS_A_LAUNCH + 5, 15 * STEPS_A_LAUNCH])
def test_launches_hold_every_row_in_order(rows):
    orders = [np.random.default_rng(member).permutation(rows) for member in range(3)]
    parts = list(launches(orders, 7))
    assert all(part.dtype == np.int32 and part.shape[1] <= STEPS_A_LAUNCH for part in parts)
    for member, order in enumerate(orders):
        np.testing.assert_array_equal(np.concatenate([part[member].ravel() for part in parts]), order)
    assert [part.shape[2] for part in parts[:-1]] == [7] * (len(parts) - 1)


def test_validation_rows_are_the_same_for_every_member():
    (part,) = in_order(4, 4, members=2)
    np.testing.assert_array_equal(part, [[[0, 1, 2, 3]]] * 2)


def test_tokens_are_encoded_on_the_device():
    tokens = np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]], np.uint8)
    data = DeviceData.of(tokens, [[1.0], [2.0]], [0.5, 1.5])
    x, y, weight = (np.asarray(part) for part in data.batch(np.array([1, 0], np.int32)))
    np.testing.assert_array_equal(x, one_hot(tokens)[[1, 0]])
    np.testing.assert_array_equal(y, [[2.0], [1.0]])
    np.testing.assert_array_equal(weight, [1.5, 0.5])
    assert str(data.x.dtype).endswith("uint8'>") or str(data.x.dtype) == "uint8"
    np.testing.assert_array_equal(np.asarray(encode(one_hot(tokens))), one_hot(tokens))


def test_a_finished_member_keeps_its_seat_until_that_has_cost_a_compilation():
    seats = Seats(range(4))
    seats.compiled(10.0)
    assert seats.arrange([0, 1, 2, 3]) == (0, 1, 2, 3)
    for _ in range(3):
        assert seats.arrange([0, 2, 3]) == (0, 1, 2, 3)
        seats.worked([0, 2, 3], 12.0)
    assert seats.arrange([0, 2, 3]) == (0, 1, 2, 3)
    seats.worked([0, 2, 3], 4.0)
    assert seats.arrange([0, 3]) == (0, 3)
    assert seats.arrange([3]) == (0, 3), "the new stack has wasted nothing yet"
