from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degu.data import AtRandom, detokenize, read_fasta
from degu.data.fasta import fasta_records
from degu.errors import DataError

FASTA = ">a first\nACGT\nTTTT\n>b\nCCCCGGGG\n\n>c\r\nAAAAcccc\r\n>d\nGGGGTTTN\n>unused\nAC\n"
VALUES = "id\tsplit\tDev\nd\ttest\t4\na\ttrain\t1\nb\ttrain\t2\nc\tvalid\t3\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["s.fa", "s.fasta.gz"])
def test_records_are_joined_to_rows_by_name(tmp_path: Path, name: str) -> None:
    splits = read_fasta(write(tmp_path, name, FASTA), write(tmp_path, "v.tsv", VALUES), targets=["Dev"])
    assert detokenize(splits.train.tokens) == ["ACGTTTTT", "CCCCGGGG"]
    assert splits.train.ids.tolist() == ["a", "b"]
    np.testing.assert_array_equal(splits.test.targets, [[4]])


def test_records_are_joined_to_rows_by_order(tmp_path: Path) -> None:
    fasta = FASTA.replace(">unused\nAC\n", "")
    splits = read_fasta(write(tmp_path, "s.fa", fasta), write(tmp_path, "v.tsv", VALUES), targets=["Dev"], id=None)
    assert detokenize(splits.test.tokens) == ["ACGTTTTT"]


def test_a_rule_can_make_the_splits(tmp_path: Path) -> None:
    splits = read_fasta(
        write(tmp_path, "s.fa", FASTA), write(tmp_path, "v.tsv", VALUES), targets=["Dev"], split=AtRandom(0.25, 0.25)
    )
    assert [len(part) for _, part in splits.items()] == [2, 1, 1]


def test_the_names_and_lines_of_records(tmp_path: Path) -> None:
    records = list(fasta_records(write(tmp_path, "s.fa", FASTA)))
    assert [(record.name, record.line, record.letters) for record in records[:3]] == [
        ("a", 1, "ACGTTTTT"),
        ("b", 4, "CCCCGGGG"),
        ("c", 7, "AAAAcccc"),
    ]


@pytest.mark.parametrize(
    ("fasta", "values", "arguments", "message"),
    [
        ("ACGT\n", VALUES, {}, "line 1: expected '>' and a name, as a FASTA file begins, received 'ACGT'"),
        ("", VALUES, {}, "empty file"),
        ("\n\n", VALUES, {}, "expected a FASTA file with sequences"),
        (FASTA.replace(">b", "> "), VALUES, {}, "line 4: expected a name behind '>'"),
        (FASTA.replace(">b", ">a"), VALUES, {}, "line 4: expected different names, received 'a' again after line 1"),
        (FASTA.replace(">b", ">x"), VALUES, {}, "line 4, column 'id': expected the name of a record .*received 'b'"),
        (FASTA, VALUES, {"id": None}, "expected 5 rows, one for each record"),
        (FASTA.replace("AAAAcccc", "AAAAccc"), VALUES, {}, "record 'c' of line 7: expected 8 letters as in record 'd'"),
        (FASTA.replace("AAAAcccc", "AAAARccc"), VALUES, {}, "record 'c' of line 7, position 4 .*received 'R'"),
        (FASTA.replace("AAAAcccc", ""), VALUES, {}, "record 'c' of line 7: .*received an empty one"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, fasta: str, values: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_fasta(write(tmp_path, "s.fa", fasta), write(tmp_path, "v.tsv", values), targets=["Dev"], **arguments)


def test_letters_that_are_no_bases_are_read_as_asked(tmp_path: Path) -> None:
    fasta = write(tmp_path, "s.fa", FASTA.replace("CCCCGGGG", "CCuURygg"))
    values = write(tmp_path, "v.tsv", VALUES)
    splits = read_fasta(fasta, values, targets=["Dev"], ambiguous="as_n", uracil="as_t")
    assert detokenize(splits.train.tokens) == ["ACGTTTTT", "CCTTNNGG"]
    with pytest.raises(DataError, match="ambiguous: expected one of refuse, as_n, received 'n'"):
        read_fasta(fasta, values, targets=["Dev"], ambiguous="n")  # type: ignore[arg-type]
