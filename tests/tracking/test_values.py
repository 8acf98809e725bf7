from __future__ import annotations

import hashlib

import pytest

from degu.errors import TrackingError
from degu.tracking.values import LONGEST_PARAM, accepted_names, chunks, flatten


def test_flatten_dots_mappings_and_numbers_lists_of_mappings():
    config = {
        "seed": 0,
        "flag": False,
        "name": "DeepSTARR",
        "trainer": {"rates": [0.1, 0.01], "schedule": None},
        "augment": [{"_target_": "a", "max": 3}, {"_target_": "b"}],
        "empty": {},
        "none": [],
    }
    assert flatten(config) == {
        "seed": "0",
        "flag": "false",
        "name": "DeepSTARR",
        "trainer.rates": "[0.1, 0.01]",
        "trainer.schedule": "null",
        "augment.0._target_": "a",
        "augment.0.max": "3",
        "augment.1._target_": "b",
        "empty": "{}",
        "none": "[]",
    }


def test_flatten_of_nothing_is_nothing():
    assert flatten({}) == {}


@pytest.mark.parametrize("length", [LONGEST_PARAM, LONGEST_PARAM + 1])
def test_only_longer_values_are_digested(length):
    text = "x" * length
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert flatten({"a": text})["a"] == (text if length == LONGEST_PARAM else digest)


def test_names_keep_what_a_store_accepts():
    assert accepted_names({"test/ence/H3K4me3(+)": 1, "a b-c_d.e": 2}) == {
        "test/ence/H3K4me3___": 1,
        "a b-c_d.e": 2,
    }


def test_names_that_become_one_are_refused():
    with pytest.raises(TrackingError, match="some are the same"):
        accepted_names({"a(": 1, "a)": 2})


@pytest.mark.parametrize(("count", "expected"), [(0, []), (2, [2]), (3, [3]), (7, [3, 3, 1])])
def test_chunks_keep_order_and_size(count, expected):
    parts = list(chunks(range(count), 3))
    assert [len(part) for part in parts] == expected
    assert [item for part in parts for item in part] == list(range(count))
