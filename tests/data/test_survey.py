from __future__ import annotations

import json
import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from degu.cli import main
from degu.data import Splits, detokenize, kmers, reverse_complement, synthetic
from degu.data.leaks import find_leaks, shared_stretches, warn_of_leaks
from degu.data.survey import survey_splits
from degu.data.table_survey import Question, survey_table
from degu.metrics.ceiling import noise_ceiling


def write(path: Path, splits: Splits, extra: dict[str, list[str]] | None = None) -> Path:
    rows = []
    for name, part in splits.items():
        for index, letters in enumerate(detokenize(part.tokens)):
            rows.append([letters, name, *(f"{value}" for value in part.targets[index])])
    columns = ["sequence", "split", *splits.target_names, *(extra or {})]
    for index, row in enumerate(rows):
        row += [cells[index] for cells in (extra or {}).values()]
    path.write_text("\n".join("\t".join(row) for row in [columns, *rows]) + "\n")
    return path


def test_leaks_are_counted_by_strand() -> None:
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 4, (30, 50), dtype=np.uint8) for _ in range(2))
    test[:3] = train[5:8]
    test[10:14] = reverse_complement(train[20:24])
    (leak,) = find_leaks({"train": train, "valid": rng.integers(0, 4, (9, 50), dtype=np.uint8), "test": test})
    assert (leak.first, leak.second, leak.same, leak.reverse, leak.rows, leak.example) == ("train", "test", 3, 4, 30, 0)


def test_stretches_are_found_on_either_strand() -> None:
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 4, (50, 200), dtype=np.uint8) for _ in range(2))
    assert shared_stretches({"train": train, "test": test}, 20) == {}
    test[:6, 60:] = train[:6, :140]
    test[6:10, 60:] = reverse_complement(train[6:10, :140])
    assert shared_stretches({"train": train, "test": test}, 20) == {("train", "test"): 10}


def test_a_run_says_once_what_leaks(caplog: pytest.LogCaptureFixture) -> None:
    clean = synthetic(20, 10, 10, length=30)
    with caplog.at_level(logging.WARNING):
        warn_of_leaks(clean)
        assert caplog.text == ""
        train, test = (clean.train.tokens, clean.train.targets), (clean.test.tokens, clean.test.targets)
        warn_of_leaks(Splits.from_arrays(train, (clean.train.tokens[3:5], clean.train.targets[3:5]), test))
    assert "Leak: 2 of 2 valid sequences are also in train, and 0 more" in caplog.text
    assert caplog.text.count("degu data check") == 1


def test_facts_are_those_of_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = synthetic(60, 20, 20, length=40)
    path = write(tmp_path / "t.tsv", splits)
    assert main(["data", "check", str(path), "--targets", *splits.target_names, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    facts = found["facts"]
    assert facts["splits"] == {"train": 60, "valid": 20, "test": 20}
    assert facts["lengths"] == {"40": 100}
    tokens = np.concatenate([part.tokens for _, part in splits.items()])
    assert facts["sequences"]["gc"] == pytest.approx(np.isin(tokens, (1, 2)).mean())
    values = np.concatenate([part.targets[:, 0] for _, part in splits.items()])
    first = facts["targets"][splits.target_names[0]]
    assert (first["mean"], first["std"]) == (
        pytest.approx(values.mean(), abs=1e-6),
        pytest.approx(values.std(), rel=1e-5),
    )
    assert found["problems"] == 0
    assert survey_splits(splits).facts["targets"][splits.target_names[0]]["median"] == first["median"]


def test_replicates_agree_and_imply_a_ceiling(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    splits = synthetic(600, 200, 200, length=20, num_targets=1)
    truth = rng.normal(size=1000)
    noisy = truth[:, None] + 0.5 * rng.normal(size=(1000, 3))
    extra = {f"rep{index}": [f"{value}" for value in noisy[:, index]] for index in range(3)}
    extra["mean"] = [f"{value}" for value in noisy.mean(axis=1)]
    path = write(tmp_path / "t.tsv", splits, extra)
    command = ["data", "check", str(path), "--targets", "mean", "--replicates", "mean=rep0,rep1,rep2"]
    assert main([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]["replicates"]["mean"]
    assert facts["pairwise pearson r"] == pytest.approx([0.8] * 3, abs=0.04)
    assert facts["noise ceiling"]["pearson_r"] == pytest.approx(np.corrcoef(truth, noisy.mean(axis=1))[0, 1], abs=0.01)
    assert facts["noise ceiling"]["replicates"] == 3
    assert main(command) == 0
    assert "noise ceiling of mean: Pearson r 0.9" in capsys.readouterr().out


def test_the_ceiling_is_that_of_a_truth_with_known_noise() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=200_000)
    measured = truth + 0.5 * rng.normal(size=200_000)
    ceiling = noise_ceiling(measured, np.full(200_000, 0.5))
    assert ceiling is not None
    assert ceiling.pearson_r == pytest.approx(np.corrcoef(truth, measured)[0, 1], abs=2e-3)
    assert ceiling.mse == 0.25
    assert noise_ceiling([1.0, 1.0], [0.1, 0.1]) is None
    assert noise_ceiling([1.0, np.nan], [0.1, 0.1]) is None


def test_split_writes_a_table_that_a_reader_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = synthetic(60, 20, 20, length=40)
    path = write(tmp_path / "t.tsv", splits)
    output = tmp_path / "new" / "s.csv.gz"
    command = ["data", "split", str(path), "-o", str(output), "--by", "similarity", "--k", "20", "--column", "set"]
    assert main([*command, "--valid", "0.2", "--test", "0.3"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["train"], counts["valid"], counts["test"]) == (50, 20, 30)
    assert main(["data", "check", str(output), "--split", "set", "--targets", *splits.target_names]) == 0
    assert "splits      50 train, 20 valid, 30 test" in capsys.readouterr().out
    assert main(command) == 2
    assert "expected no such file, received one that exists" in capsys.readouterr().err
    first = output.read_bytes()
    assert main([*command, "--valid", "0.2", "--test", "0.3", "--overwrite"]) == 0
    assert output.read_bytes() == first
    assert [entry.name for entry in output.parent.iterdir()] == ["s.csv.gz"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "chromosome"], "Expected --valid and --test with chromosomes"),
        (["--by", "chromosome", "--valid", "a", "--test", "b"], "expected a column 'chrom'"),
        (["--by", "random", "--valid", "x"], "--valid: expected a part of the rows"),
        (["--by", "random", "--valid", "0.9", "--test", "0.9"], "expected parts above 0 whose sum is below 1"),
        (["--by", "random", "--column", "split"], "expected no column 'split'"),
        (["--by", "random", "-o", "x.txt"], "x.txt: expected a name that ends in .tsv or .csv"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    path = write(tmp_path / "t.tsv", synthetic(6, 2, 2, length=20))
    output = [] if "-o" in words else ["-o", str(tmp_path / "out.tsv")]
    column = [] if "--column" in words else ["--column", "set"]
    assert main(["data", "split", str(path), *output, *column, *words]) == 2
    assert message in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.tsv"]


def test_notes_on_distributions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = synthetic(60, 20, 20, length=40)
    extra = {
        "skewed": [f"{np.exp(3 * value):.6g}" for value in np.random.default_rng(0).normal(size=100)],
        "floor": [f"{max(0.0, value):.6g}" for value in np.random.default_rng(1).normal(size=100)],
        "binary": [str(index % 2) for index in range(100)],
    }
    path = write(tmp_path / "t.tsv", splits, extra)
    assert main(["data", "check", str(path), "--targets", "skewed", "floor", "binary"]) == 0
    out = capsys.readouterr().out
    for part in ("'skewed' is skewed", "rows are exactly 0: a floor", "'binary' has two values, 0 and 1"):
        assert part in out


def test_a_data_set_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "data=synthetic", "data.num_train=50", "data.length=30"]) == 0
    assert "splits      50 train, 500 valid, 500 test" in capsys.readouterr().out
    assert main(["data", "check", "data=synthetik"]) == 2
    assert "Did you mean 'synthetic'" in capsys.readouterr().err


def test_a_table_takes_little_more_memory_than_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of eight bytes for every letter would be 40 MB an array here, and there were several."""
    monkeypatch.setattr(kmers, "_LETTERS_AT_ONCE", 50_000)
    path = write(tmp_path / "t.tsv", synthetic(16_000, 2000, 2000, length=250, num_targets=1))
    question = Question(targets=["activity_0"])
    survey_table(path, question)  # imports
    tracemalloc.start()
    facts = survey_table(path, question).facts
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(facts["sequences"]["letters"].values()) == 5_000_000
    assert peak < 75e6


def test_letters_are_reported_where_they_are_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also beyond the sequences that are read at once, and beside sequences of another length."""
    monkeypatch.setattr(kmers, "_LETTERS_AT_ONCE", 24)
    rows = ["ACGTACGT"] * 12
    rows[2], rows[5], rows[7], rows[8], rows[10] = "ACG", "ACGTACGU", "ACRTACGT", "acgtacgt", "ACG\u00e9ACG!"
    lines = [f"{letters}\ttrain\t{row}" for row, letters in enumerate(rows)]
    (tmp_path / "t.tsv").write_text("\n".join(["sequence\tsplit\ty", *lines]) + "\n", encoding="utf-8")
    found = survey_table(tmp_path / "t.tsv", Question(targets=["y"]))
    text = "\n".join(finding.text for finding in found.findings)
    for kind, letter, line, position in (("U", "U", 7, 7), ("several bases", "R", 9, 2), ("no bases", "\u00e9", 12, 3)):
        assert (
            f"{kind}, first {letter!r} in {tmp_path / 't.tsv'}, line {line}, column 'sequence', position {position}"
            in text
        )
    assert "1 sequences have lower-case letters" in text
    assert found.facts["sequences with other letters than A, C, G, T, N"] == 3
    assert found.facts["rows"] == 10
    assert found.facts["sequences"]["letters"] == {"A": 20, "C": 20, "G": 19, "T": 20, "N": 1}
