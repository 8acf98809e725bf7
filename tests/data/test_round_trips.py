"""What is written in a format is read from it: tables, Parquet and FASTA files of any content."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from degu.data import detokenize, read_fasta, read_table
from degu.data.delimited import read_columns
from degu.data.fasta import fasta_records

names = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=("Cs",)), max_size=8)
values = st.one_of(st.none(), st.floats(-(2.0**120), 2.0**120, width=32))
words = st.text("ABCabc0123_.:-", min_size=1, max_size=6)
sequences = st.integers(1, 20).flatmap(
    lambda size: st.lists(st.text("ACGTNacgtn", min_size=size, max_size=size), min_size=3, max_size=12)
)


def labels(count: int) -> list[str]:
    return [("train", "valid", "test")[row % 3] for row in range(count)]


def check(splits: Any, letters: list[str], targets: list[float | None]) -> None:
    kept = [row for row, value in enumerate(targets) if value is not None]
    for name, part in splits.items():
        rows = [row for row in kept if labels(len(letters))[row] == name]
        assert detokenize(part.tokens) == [letters[row].upper() for row in rows]
        np.testing.assert_array_equal(part.targets[:, 0], np.array([targets[row] for row in rows], np.float32))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), letters=sequences, suffix=st.sampled_from([".tsv", ".csv", ".tsv.gz", ".parquet"]))
def test_a_data_set_survives_a_table(
    tmp_path_factory: pytest.TempPathFactory, data: Any, letters: list[str], suffix: str
) -> None:
    targets = data.draw(st.lists(values, min_size=len(letters), max_size=len(letters)))
    targets[:3] = [0.5, -1.0, 2.0]
    extra = data.draw(st.lists(names, min_size=len(letters), max_size=len(letters)))
    path = tmp_path_factory.mktemp("round") / f"t{suffix}"
    columns = {"x": extra, "sequence": letters, "split": labels(len(letters)), "y": targets}
    if suffix == ".parquet":
        parquet.write_table(pyarrow.table(columns), path)
    else:
        buffer = io.StringIO(newline="")
        ending = data.draw(st.sampled_from(["\n", "\r\n"]))
        writer = csv.writer(buffer, delimiter="," if ".csv" in suffix else "\t", lineterminator=ending)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if cell is None else cell for cell in row])
        content = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + buffer.getvalue().encode()
        path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    check(read_table(path, targets=["y"]), letters, targets)
    assert read_columns(path, ["x"]).columns["x"] == extra


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), letters=sequences, width=st.integers(1, 9))
def test_sequences_survive_a_fasta_file(
    tmp_path_factory: pytest.TempPathFactory, data: Any, letters: list[str], width: int
) -> None:
    folder = tmp_path_factory.mktemp("round")
    ids = data.draw(st.lists(words, min_size=len(letters), max_size=len(letters), unique=True))
    lines = []
    for name, text in zip(ids, letters, strict=True):
        lines.append(f">{name} {data.draw(words)}")
        lines += [text[start : start + width] for start in range(0, len(text), width)]
    (folder / "s.fa").write_text("\n".join(lines) + data.draw(st.sampled_from(["", "\n", "\n\n"])))
    assert [(record.name, record.letters) for record in fasta_records(folder / "s.fa")] == list(
        zip(ids, letters, strict=True)
    )
    order = data.draw(st.permutations(range(len(letters))))
    targets: list[float | None] = [float(row) for row in range(len(letters))]
    rows = [f"{ids[row]}\t{labels(len(letters))[row]}\t{targets[row]}\n" for row in order]
    (folder / "v.tsv").write_text("id\tsplit\ty\n" + "".join(rows))
    splits = read_fasta(folder / "s.fa", folder / "v.tsv", targets=["y"])
    by_value = {
        part.targets[row, 0]: detokenize(part.tokens)[row] for _, part in splits.items() for row in range(len(part))
    }
    assert by_value == {row: text.upper() for row, text in enumerate(letters)}
