from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degu.data import Split, Splits, tokenize
from degu.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
NAN = float("nan")
TINY_DIGEST = "57868b8242ce3dc27b613270d4c10197e84be21a9572750d0e434f6427bec51b"
TINY_SCRIPT = """
import numpy as np
from degu.data import Split, Splits, tokenize
def part(name, sequences, targets):
    ids = np.array([f"{name}{row}" for row in range(len(targets))])
    return Split(tokenize(sequences), np.array(targets), ids)
print(Splits(
    part("a", ["ACGT", "TTNA"], [[0.5, -1.0], [float("nan"), 2.0]]),
    part("b", ["GGGG"], [[1.0, 0.0]]),
    part("c", ["CCCC"], [[3.0, 0.25]]),
    ("Dev", "Hk"),
    "by hand",
).digest)
"""


def part(name: str, sequences: list[str], targets: list[list[float]], **extra: Any) -> Split:
    ids = np.array([f"{name}{row}" for row in range(len(targets))])
    return Split(tokenize(sequences), np.array(targets), ids, **extra)


def tiny(**changes: Any) -> Splits:
    fields: dict[str, Any] = {
        "train": part("a", ["ACGT", "TTNA"], [[0.5, -1.0], [NAN, 2.0]]),
        "valid": part("b", ["GGGG"], [[1.0, 0.0]]),
        "test": part("c", ["CCCC"], [[3.0, 0.25]]),
        "target_names": ("Dev", "Hk"),
        "source": "by hand",
    }
    return Splits(**(fields | changes))


def numbered(rows: int) -> Splits:
    targets = np.arange(rows, dtype=np.float32)[:, None]
    tokens = np.arange(rows, dtype=np.uint8)[:, None] % 5
    train = Split(tokens, targets, np.arange(rows).astype(str), targets * np.float32(0.1))
    valid = part("v", ["A"], [[0.0]], target_std=np.array([[1.0]]))
    test = part("t", ["C"], [[1.0]], target_std=np.array([[NAN]]))
    return Splits(train, valid, test, ("activity",), "numbers")


def test_sizes_and_dtypes() -> None:
    splits = tiny()

    assert (splits.length, splits.num_targets, len(splits.train)) == (4, 2, 2)
    assert splits.train.tokens.dtype == np.uint8
    assert splits.train.targets.dtype == np.float32
    assert [name for name, _ in splits.items()] == ["train", "valid", "test"]
    assert tiny(target_names=["Dev", "Hk"]).target_names == ("Dev", "Hk")


def test_arrays_cannot_be_written_but_the_callers_array_stays_writable() -> None:
    tokens = tokenize(["ACGT"])
    split = Split(tokens, np.zeros((1, 1), np.float32), np.array(["a"]))

    with pytest.raises(ValueError, match="read-only"):
        split.tokens[0, 0] = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.tokens = tokens  # type: ignore[misc]
    tokens[0, 0] = 0


def test_summary_is_flat_and_complete() -> None:
    assert tiny().summary() == {
        "train_rows": 2,
        "valid_rows": 1,
        "test_rows": 1,
        "length": 4,
        "num_targets": 2,
        "target_names": "Dev, Hk",
        "digest": TINY_DIGEST,
        "source": "by hand",
    }


def test_digest_is_the_same_in_another_process() -> None:
    command = [sys.executable, "-c", TINY_SCRIPT]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert result.stdout.strip() == TINY_DIGEST


def test_digest_does_not_see_layout_byte_order_or_kind_of_nan() -> None:
    other_nan = np.array([0x7FC12345], dtype="<u4").view("<f4")[0]
    targets = np.array([[0.5, -1.0], [0.0, 2.0]], dtype=">f4", order="F")
    targets[1, 0] = other_nan
    tokens = np.asfortranarray(tokenize(["ACGT", "TTNA"]).astype(">i8"))
    train = Split(tokens, targets, np.array(["a0", "a1"]))

    assert tiny(train=train, source="elsewhere").digest == TINY_DIGEST


@pytest.mark.parametrize(
    "changes",
    [
        {"train": part("a", ["ACGT", "TTNC"], [[0.5, -1.0], [NAN, 2.0]])},
        {"train": part("a", ["ACGT", "TTNA"], [[0.5, -1.0], [NAN, 2.5]])},
        {"train": part("a", ["TTNA", "ACGT"], [[NAN, 2.0], [0.5, -1.0]])},
        {"train": part("x", ["ACGT", "TTNA"], [[0.5, -1.0], [NAN, 2.0]])},
        {"target_names": ("Hk", "Dev")},
        {"valid": part("c", ["CCCC"], [[3.0, 0.25]]), "test": part("b", ["GGGG"], [[1.0, 0.0]])},
    ],
)
def test_digest_sees_every_part(changes: dict[str, Any]) -> None:
    assert tiny(**changes).digest != TINY_DIGEST


def test_digest_sees_replicate_deviations() -> None:
    bare = part("a", ["AC"], [[1.0]])
    first = part("a", ["AC"], [[1.0]], target_std=np.array([[0.1]]))
    second = part("a", ["AC"], [[1.0]], target_std=np.array([[0.2]]))
    assert len({bare.digest, first.digest, second.digest}) == 3


def test_downsampling_is_the_documented_draw() -> None:
    splits = numbered(40)
    rows = np.random.default_rng(1234).choice(40, 10, replace=False, shuffle=False)

    smaller = splits.downsample(0.25)

    np.testing.assert_array_equal(smaller.train.targets[:, 0], rows)
    np.testing.assert_array_equal(smaller.train.tokens, splits.train.tokens[rows])
    np.testing.assert_array_equal(smaller.train.ids, rows.astype(str))
    assert smaller.train.target_std is not None
    np.testing.assert_allclose(smaller.train.target_std[:, 0], rows / 10, rtol=1e-6)
    assert smaller.valid is splits.valid
    assert smaller.test is splits.test
    assert smaller.summary()["source"] == "numbers; train down-sampled to 0.25 (10 of 40 rows, seed 1234)"


def test_downsampling_depends_on_the_seed_and_zero_is_a_seed() -> None:
    splits = numbered(40)
    zero = np.random.default_rng(0).choice(40, 20, replace=False, shuffle=False)

    np.testing.assert_array_equal(splits.downsample(0.5, seed=0).train.targets[:, 0], zero)
    assert splits.downsample(0.5, seed=0).digest != splits.downsample(0.5, seed=1).digest


def test_the_whole_fraction_changes_nothing() -> None:
    splits = numbered(7)
    assert splits.downsample(1.0) is splits


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, NAN])
def test_a_fraction_outside_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match="above 0 and at most 1"):
        numbered(7).downsample(fraction)


def test_a_fraction_that_leaves_no_row_is_refused() -> None:
    with pytest.raises(DataError, match=r"at least one of 7 train rows .* Use at least 0\.143"):
        numbered(7).downsample(0.01)


def test_select_takes_indices_and_masks() -> None:
    train = tiny().train
    assert train.select([1]).ids.tolist() == ["a1"]
    assert train.select([1, 0]).ids.tolist() == ["a1", "a0"]
    assert train.select(np.array([True, False])).ids.tolist() == ["a0"]
    with pytest.raises(DataError, match="at least one row"):
        train.select([])
    with pytest.raises(DataError, match="received 'a0' 2 times"):
        train.select([0, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": np.zeros((0, 4), int)}, r"N and L at least 1, received \(0, 4\)"),
        ({"tokens": np.zeros(2, int)}, r"received \(2,\)"),
        ({"tokens": np.zeros((2, 3, 4))}, "tokens_from_one_hot"),
        ({"targets": np.zeros(2)}, r"targets: expected shape \(2, K\).*received \(2,\)"),
        ({"targets": np.zeros((3, 1))}, r"received \(3, 1\)"),
        ({"targets": np.array([[0.0], [np.inf]])}, "targets, row 1, column 0 .*received inf"),
        ({"targets": np.array([[0.0], [-1e300]])}, "targets, row 1, column 0 .*received -inf"),
        ({"targets": np.array([[0.0], [NAN]])}, r"targets, row 1 .*only NaN, in 1 row\(s\)"),
        ({"ids": np.array(["a"])}, r"ids: expected shape \(2,\)"),
        ({"ids": np.array(["a", "a"])}, "'a' 2 times, first in row 0"),
        ({"target_std": np.zeros((2, 2))}, r"shape of the targets, \(2, 1\), received \(2, 2\)"),
        ({"target_std": np.array([[0.1], [-3.0]])}, "row 1, column 0 .*Log-variances"),
        ({"target_std": np.array([[0.1], [np.inf]])}, "target_std, row 1, column 0 .*received inf"),
    ],
)
def test_a_split_refuses_what_does_not_fit(changes: dict[str, Any], message: str) -> None:
    fields = {"tokens": np.zeros((2, 4), int), "targets": np.zeros((2, 1)), "ids": np.array(["a", "b"])}
    with pytest.raises(DataError, match=message):
        Split(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": part("b", ["GGG"], [[1.0, 0.0]])}, "valid split: expected sequence length 4 .*received 3"),
        ({"test": part("c", ["CCCC"], [[3.0]])}, "test split: expected number of targets 2 .*received 1"),
        ({"test": part("a", ["CCCC"], [[3.0, 1.0]])}, "received 'a0' in train and test"),
        ({"test": part("b", ["CCCC"], [[3.0, 1.0]])}, "received 'b0' in valid and test"),
        ({"target_names": ("Dev",)}, r"expected 2 different names.*\['Dev'\]"),
        ({"target_names": ("Dev", "Dev")}, "expected 2 different names"),
        ({"target_names": "DevHk"}, "expected a list of names, received 'DevHk'"),
        ({"test": part("c", ["CCCC"], [[3.0, NAN]])}, "test split: .* target 'Hk', received only NaN"),
        (
            {"test": part("c", ["CCCC"], [[3.0, 1.0]], target_std=np.ones((1, 2)))},
            "test split: expected target_std in every split or in none",
        ),
    ],
)
def test_splits_refuse_what_does_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tiny(**changes)
