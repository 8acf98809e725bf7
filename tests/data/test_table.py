from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degu.data import detokenize, read_table
from degu.errors import DataError

HEADER = "name\tsequence\tsplit\tDev\tHk\tDev_sd\tHk_sd\tkeep\n"
ROWS = (
    "n1\tACGT\ttrain\t1.5\t-2\t0.1\t0.2\t1\n",
    "n2\tacgn\ttrain\t\t0.25\t\t0.3\t0\n",
    "n3\tTTTT\tvalid\t1e-3\tNA\t0.5\tNaN\t1.0\n",
    "n4\tGGGG\ttest\t0\t7\t0\t0\t1\n",
    "n5\tCCCC\tvalid\tnan\t3\t\t\t1\n",
)
GOOD = HEADER + "".join(ROWS)


def write(folder: Path, text: str = GOOD, name: str = "table.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(path: Path, **arguments: Any) -> Any:
    return read_table(path, **({"targets": ["Dev", "Hk"], "id": "name"} | arguments))


def with_row(number: int, old: str, new: str) -> str:
    lines = GOOD.splitlines(keepends=True)
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new, 1)
    return "".join(lines)


def test_a_table_is_read_as_it_stands(tmp_path: Path) -> None:
    splits = read(write(tmp_path), target_std=["Dev_sd", "Hk_sd"])

    assert detokenize(splits.train.tokens) == ["ACGT", "ACGN"]
    np.testing.assert_array_equal(splits.train.targets, np.array([[1.5, -2], [np.nan, 0.25]], np.float32))
    np.testing.assert_array_equal(splits.valid.targets, np.array([[1e-3, np.nan], [np.nan, 3]], np.float32))
    np.testing.assert_array_equal(splits.train.target_std, np.array([[0.1, 0.2], [np.nan, 0.3]], np.float32))
    assert splits.train.ids.tolist() == ["n1", "n2"]
    assert splits.test.ids.tolist() == ["n4"]
    assert splits.target_names == ("Dev", "Hk")
    assert splits.source == str(tmp_path / "table.tsv")


def test_rows_are_named_after_split_and_line_without_an_id_column(tmp_path: Path) -> None:
    splits = read(write(tmp_path), id=None)
    assert splits.train.ids.tolist() == ["train-row2", "train-row3"]
    assert splits.test.ids.tolist() == ["test-row5"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.tsv.gz", gzip.compress(GOOD.encode(), mtime=0)),
        ("t.csv", GOOD.replace("\t", ",").encode()),
        ("t.CSV", GOOD.replace("\t", ",").encode()),
        ("t.tsv", b"\xef\xbb\xbf" + GOOD.encode()),
        ("t.tsv", GOOD.replace("\n", "\r\n").encode()),
        ("t.tsv", GOOD.replace("\n", "\n\n").encode()),
        ("t.tsv", GOOD.rstrip("\n").encode()),
        ("t.tsv", GOOD.replace("ACGT", '"ACGT"').encode()),
    ],
    ids=["gzip", "csv", "upper-suffix", "bom", "crlf", "blank-lines", "no-last-newline", "quoted"],
)
def test_other_spellings_of_the_same_table_give_the_same_digest(tmp_path: Path, name: str, data: bytes) -> None:
    expected = read(write(tmp_path, name="expected.tsv")).digest
    (tmp_path / name).write_bytes(data)

    assert read(tmp_path / name).digest == expected


def test_a_named_delimiter_wins_over_the_suffix(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("\t", ";"), "table.txt")
    assert read(path, delimiter=";").digest == read(write(tmp_path)).digest


def test_a_relative_path_starts_at_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(read_table("table.tsv", targets=["Dev"]).test) == 1


def test_other_split_values_and_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folds = GOOD.replace("train", "0").replace("valid", "8").replace("test", "9") + "n6\tAAAA\t3\t1\t1\t\t\t1\n"
    with caplog.at_level(logging.INFO, logger="degu.data.roles"):
        splits = read(write(tmp_path, folds), splits={"train": 0, "valid": 8, "test": "9"}, id=None)

    assert splits.valid.ids.tolist() == ["valid-row4", "valid-row6"]
    assert "left out 1 of 6 rows whose 'split' is none of ['0', '8', '9']" in caplog.text


def test_rows_without_any_target_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="degu.data.roles"):
        splits = read_table(write(tmp_path), targets=["Dev"], id="name")

    assert splits.train.ids.tolist() == ["n1"]
    assert "left out 2 of 5 rows without any measured target" in caplog.text


@pytest.mark.parametrize("value", [1, 1.0, "1"])
def test_where_compares_numbers_as_numbers_and_text_as_text(tmp_path: Path, value: float | str) -> None:
    splits = read(write(tmp_path, with_row(6, "nan", "4")), where={"keep": value})

    assert splits.train.ids.tolist() == ["n1"]
    assert splits.valid.ids.tolist() == (["n5"] if value == "1" else ["n3", "n5"])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (with_row(2, "1.5", "one"), ["line 2", "'Dev'", "a finite number", "'one'"]),
        (with_row(4, "1e-3", "inf"), ["line 4", "'Dev'", "a finite number", "'inf'"]),
        (with_row(4, "1e-3", "1e39"), ["line 4", "'Dev'", "a finite number", "'1e39'"]),
        (with_row(4, "1e-3", "1_000"), ["line 4", "'Dev'", "'1_000'"]),
        (with_row(5, "GGGG", "GGUG"), ["'sequence'", "line 5", "position 2", "'U'", "Write T for U"]),
        (
            with_row(5, "GGGG", "GGG"),
            ["'sequence'", "line 5", "expected 4 letters as in line 2", "received 3"],
        ),
        (with_row(5, "GGGG", ""), ["'sequence'", "line 5", "received an empty one"]),
        (with_row(5, "n4", "n1"), ["line 5", "'name'", "'n1' again after line 2"]),
        (with_row(3, "\t0\n", "\n"), ["line 3", "expected 8 fields", "received 7"]),
        (with_row(3, "\t0\n", "\t0\tx\n"), ["line 3", "expected 8 fields", "received 9"]),
        (with_row(3, "n2", '"n2'), ["line 3", "expected delimited fields"]),
        (
            GOOD.replace("valid", "val"),
            ["'split'", "'valid' for the valid split", "'val' (2 rows)", "mean 'val'"],
        ),
        (HEADER + ROWS[0] + ROWS[2], ["'split'", "'test' for the test split"]),
        (HEADER, ["rows below the header"]),
        ("", ["empty file"]),
        ("\n", ["expected a column"]),
        (GOOD.replace("\t", ","), ["line 1", "'\\t'", "single column 'name,sequence"]),
        (GOOD.replace("sequence", "sequnce"), ["line 1", "column 'sequence'", "Did you mean 'sequnce'?"]),
        (GOOD.replace("Hk\t", "Dev\t", 1), ["line 1", "one column 'Dev'", "received 2"]),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as error:
        read(path)

    for part in [str(path), *parts]:
        assert part in str(error.value)


def test_line_numbers_count_blank_lines_and_line_breaks_in_cells(tmp_path: Path) -> None:
    text = HEADER + "\n" + ROWS[0].replace("n1", '"n\n1"') + ROWS[1] + with_row(4, "1e-3", "x").splitlines()[3]
    with pytest.raises(DataError, match="line 6, column 'Dev'"):
        read(write(tmp_path, text))


def test_a_negative_deviation_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2, column 'Hk_sd': expected a finite number of at least 0"):
        read(write(tmp_path, with_row(2, "0.2", "-0.2")), target_std=["Dev_sd", "Hk_sd"])


def test_a_target_that_a_split_never_measured_is_named_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "".join(ROWS[:4]))
    with pytest.raises(DataError, match="valid split: expected some measured values of target 'Hk'") as error:
        read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("cut.tsv.gz", gzip.compress((HEADER + ROWS[0] * 5000).encode(), mtime=0)[:-40], "cut short"),
        ("crc.tsv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-8] + bytes(8), "damaged gzip data"),
        ("bits.tsv.gz", gzip.compress(GOOD.encode(), mtime=0)[:10] + bytes([255] * 60), "damaged gzip data"),
        ("plain.tsv.gz", GOOD.encode(), "expected gzip data as the name says"),
        ("empty.tsv.gz", b"", "empty file"),
        ("zipped.tsv", gzip.compress(GOOD.encode(), mtime=0), "Add .gz to the name"),
        ("wide.tsv", GOOD.encode("utf-16"), "expected UTF-8 text"),
        ("table.parquet", GOOD.encode(), "expected a Parquet file, received one that cannot be read"),
        ("table.xlsx", GOOD.encode(), "ends in .tsv or .csv .*received '.xlsx'"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_split_without_measured_rows_is_named_with_what_the_column_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected measured rows with 'valid' .* 'valid' \(2 rows\)"):
        read_table(write(tmp_path, with_row(4, "1e-3", "")), targets=["Dev"])


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match="Did you mean 'table.tsv'"):
        read(tmp_path / "tabel.tsv")
    with pytest.raises(DataError, match="there is no folder"):
        read(tmp_path / "nowhere" / "table.tsv")
    with pytest.raises(DataError, match="received a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": "Dev"}, "targets: expected a list of column names, received 'Dev'"),
        ({"targets": []}, "targets: expected at least one column"),
        ({"targets": ["Dev", "Dev"]}, "each once"),
        ({"target_std": ["Dev_sd"]}, "target_std: expected 2 columns, one per target, received 1"),
        ({"target_std": "Dev_sd"}, "target_std: expected a list"),
        ({"splits": {"train": "a", "valid": "b"}}, "train, valid and test, received"),
        ({"splits": {"train": "a", "valid": "a", "test": "b"}}, "different values for each"),
        (
            {"where": {"keep": 2}},
            "column 'keep': expected rows equal to 2 .*The column holds '1', '0', '1.0'",
        ),
        ({"where": {"kept": 1}}, "a column 'kept'.*Did you mean 'keep'"),
        ({"delimiter": "::"}, "delimiter: expected one character"),
        ({"id": "nam"}, "a column 'nam'.*Did you mean 'name'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path), **arguments)
