from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degu.data import Splits, read_table
from degu.errors import DataError

HEADER = "sequence\tsplit\tDev\tDev1\tDev2\tDev3\tHk\n"
ROWS = (
    "ACGT\ttrain\t1\t0.5\t1.5\t\t2\n",
    "ACGA\ttrain\t1\t1\t2\t6\t2\n",
    "TTTT\tvalid\t3\t\t3\tNA\t0\n",
    "GGGG\ttest\t4\t\t\t\t7\n",
)
DEV = ["Dev1", "Dev2", "Dev3"]


def read(folder: Path, text: str = HEADER + "".join(ROWS), **arguments: Any) -> Splits:
    path = folder / "table.tsv"
    path.write_text(text)
    return read_table(path, **({"targets": ["Dev", "Hk"], "replicates": {"Dev": DEV}} | arguments))


def test_standard_deviation_is_over_the_measured_replicates(tmp_path: Path) -> None:
    splits = read(tmp_path)
    assert splits.train.target_std is not None
    np.testing.assert_allclose(splits.train.target_std[:, 0], [np.sqrt(0.5), np.sqrt(7)], rtol=1e-6)
    for name, split in splits.items():
        assert split.target_std is not None
        assert split.target_std.dtype == np.float32
        assert np.isnan(split.target_std[:, 1]).all(), "Hk has no replicates"
        assert np.isnan(split.target_std[:, 0]).all() == (name != "train"), "fewer than two replicates"


def test_replicates_of_all_targets_may_overlap_with_other_columns(tmp_path: Path) -> None:
    splits = read(tmp_path, replicates={"Hk": ["Dev1", "Dev2"], "Dev": ["Dev1", "Dev"]})
    assert splits.train.target_std is not None
    expected = [[np.std([0.5, 1]) * np.sqrt(2), np.sqrt(0.5)], [0, np.sqrt(0.5)]]
    np.testing.assert_allclose(splits.train.target_std, expected, rtol=1e-6)


def test_without_replicates_there_is_no_standard_deviation(tmp_path: Path) -> None:
    assert read(tmp_path, replicates=None).train.target_std is None
    assert read(tmp_path, replicates={}).train.target_std is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replicates": {"Devv": DEV}}, "received 'Devv'. Did you mean 'Dev'"),
        ({"replicates": {"Dev": "Dev1"}}, "replicates of 'Dev': expected a list of two or more columns.*'Dev1'"),
        ({"replicates": {"Dev": ["Dev1"]}}, "two or more columns"),
        ({"replicates": {"Dev": ["Dev1", "Dev1", "Dev2"]}}, "each once"),
        ({"replicates": {"Dev": ["Dev1", "Dev4"]}}, "expected a column 'Dev4'.*Did you mean 'Dev"),
        ({"target_std": ["Dev1", "Dev2"]}, "either replicates or target_std, received both"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, **arguments)


def test_a_cell_that_is_no_number_is_named_with_its_place(tmp_path: Path) -> None:
    text = HEADER + "".join(ROWS).replace("\t6\t", "\tsix\t")
    with pytest.raises(DataError, match="line 3, column 'Dev3': expected a finite number.*received 'six'"):
        read(tmp_path, text)
