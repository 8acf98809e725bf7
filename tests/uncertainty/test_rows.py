import hashlib
import struct

import numpy as np
import pytest

from degu.data import one_hot, synthetic
from degu.errors import CalibrationError
from degu.uncertainty import row_digests
from degu.uncertainty.rows import CalibrationRows

TOKENS = np.random.default_rng(0).integers(0, 5, (6, 9), dtype=np.uint8)
ROWS = row_digests(TOKENS)


def test_digests_depend_on_the_row_alone():
    assert len(set(ROWS)) == 6
    np.testing.assert_array_equal(row_digests(TOKENS[::-1].astype(np.int64)), ROWS[::-1])
    np.testing.assert_array_equal(row_digests(np.asfortranarray(TOKENS)), ROWS)
    expected = hashlib.blake2b(struct.pack("<4q", 0, 1, 2, 3), digest_size=16).hexdigest()
    assert row_digests([[0, 1, 2, 3]]).tolist() == [expected]
    assert not np.isin(row_digests(one_hot(TOKENS)), ROWS).any()


def test_a_split_is_recognised_in_part_and_in_another_order():
    splits = synthetic(num_train=30, num_valid=20, num_test=10, length=20)
    used = {name: row_digests(split.tokens) for name, split in splits.items()}
    half = splits.valid.select(np.arange(20)[::-2])
    with pytest.raises(CalibrationError, match=r"Received: 10 of 10 rows are rows of 'valid' too, the first is row 0"):
        CalibrationRows.claim(row_digests(half.tokens), 10, used)


def test_one_used_row_is_enough_to_refuse():
    with pytest.raises(CalibrationError, match=r"1 of 6 rows are rows of 'train' too, the first is row 4 .*carve"):
        CalibrationRows.claim(ROWS, 6, {"valid": [], "train": ROWS[4:5]})
    assert CalibrationRows.claim(ROWS, 6, {"valid": [], "train": row_digests(TOKENS[:2, ::-1])}).digests == tuple(ROWS)


def test_rows_of_the_calibration_are_not_evaluated():
    claimed = CalibrationRows.claim(ROWS[:3], 3, {})
    claimed.require_new(ROWS[3:], 3)
    claimed.require_new(None, 3)
    with pytest.raises(CalibrationError, match=r"2 of 5 rows of the calibration, the first is row 0"):
        claimed.require_new(ROWS[1:], 5)


@pytest.mark.parametrize("rows", [ROWS[:5], ROWS[:, None], "abc"])
def test_there_is_one_digest_a_row(rows):
    with pytest.raises(ValueError, match="Expected 6 digests, one a row"):
        CalibrationRows.claim(rows, 6, {})
    with pytest.raises(ValueError, match="Expected 6 digests, one a row"):
        CalibrationRows((ROWS[0],)).require_new(rows, 6)
