"""`degu predict`: sequences of a file become rows of a table, whatever the file's format and size."""

import csv
import gzip
import json

import numpy as np
import pytest

from degu.cli import main
from degu.data import detokenize, reverse_complement
from degu.data.encoding import tokenize
from degu.ensemble import Prediction
from degu.errors import ConfigError, DataError
from degu.inference import FilePredictor, open_sequences, uncalibrated
from degu.inference import windows as windows_module
from degu.inference.windows import Windows
from degu.trained import load_study
from degu.uncertainty import logvar, std

LENGTH = 40
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 4, (30, LENGTH)).astype(np.uint8)
LETTERS = detokenize(TOKENS)
COLUMNS = [
    f"activity_{target}_{kind}" for target in (0, 1) for kind in ("mean", "epistemic", "lower", "upper", "out_of_range")
]


@pytest.fixture(scope="module")
def study(finished_study):
    return load_study(finished_study, device="cpu")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path):
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(content.decode().splitlines(), delimiter="\t"))


def numbers(table, column):
    return [float(row[column]) for row in table]


def fasta(path, letters, names=None):
    names = names or [f"s{number}" for number in range(len(letters))]
    records = zip(names, letters, strict=True)
    path.write_text("".join(f">{name} of a test\n{text[:25]}\n{text[25:]}\n" for name, text in records))
    return path


@pytest.mark.parametrize("model", ["ensemble", "student"])
def test_a_fasta_file_becomes_the_studys_own_predictions(study, finished_study, place, capsys, model):
    fasta(place / "new.fa", LETTERS)
    arguments = ["predict", str(finished_study), "new.fa", "--model", model, "--device", "cpu", "--level", "0.8"]
    assert main(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    table = rows(place / "new.predictions.tsv")
    assert summary == {
        **{"output": "new.predictions.tsv", "sequences": 30, "rows": 30, "with_unknown": 0, "level": 0.8},
        "out_of_range": sum(
            "true" in (row["activity_0_out_of_range"], row["activity_1_out_of_range"]) for row in table
        ),
        "methods": {"activity_0": "conformal_absolute", "activity_1": "conformal_absolute"},
    }
    assert list(table[0]) == ["id", *COLUMNS]
    assert [row["id"] for row in table] == [f"s{number}" for number in range(30)]
    expected = study.columns(study.predict(TOKENS, model), model, study.rule(model, 0.8))
    assert list(expected) == COLUMNS
    for column in COLUMNS[:4]:
        np.testing.assert_allclose(numbers(table, column), expected[column], rtol=1e-4, atol=1e-6)
    kept = json.loads((finished_study / "calibration.json").read_text())
    half = kept["models"][model]["activity_1"]["conformal_absolute"][kept["confidence_levels"].index(0.8)]
    np.testing.assert_allclose(
        np.subtract(numbers(table, "activity_1_upper"), numbers(table, "activity_1_mean")), half, rtol=1e-3
    )
    assert sorted(path.name for path in place.iterdir()) == ["new.fa", "new.predictions.tsv"]


def test_every_format_says_the_same(study, finished_study, place, capsys):
    import pandas as pd

    fasta(place / "a.fasta", LETTERS)
    with gzip.open(place / "b.fa.gz", "wt") as file:
        file.write((place / "a.fasta").read_text())
    frame = pd.DataFrame({"id": [f"s{row}" for row in range(30)], "dna": [text.lower() for text in LETTERS]})
    frame.to_csv(place / "c.csv", index=False)
    frame.to_parquet(place / "d.parquet")
    (place / "genome.fa").write_text(f">chr1\nACG{''.join(LETTERS)}TT\n")
    other = detokenize(reverse_complement(TOKENS))
    (place / "genome2.fa").write_text(f">chr1\nACG{''.join(other)}TT\n")
    for name, strand in (("e.bed", "+"), ("f.bed", "-")):
        (place / name).write_text("".join(f"chr1\t{3 + 40 * n}\t{43 + 40 * n}\ts{n}\t0\t{strand}\n" for n in range(30)))
    named = ["--column", "dna", "--id", "id"]
    for file, *more in (
        ("a.fasta",),
        ("b.fa.gz", "-o", "b.tsv.gz"),
        ("c.csv", *named),
        ("d.parquet", *named, "-o", "d.out.parquet"),
        ("e.bed", "--genome", "genome.fa"),
        ("f.bed", "--genome", "genome2.fa", "-o", "folder/f.csv"),
    ):
        assert main(["predict", str(finished_study), file, "--device", "cpu", *more]) == 0, capsys.readouterr().err
    plain = rows(place / "a.predictions.tsv")
    assert rows(place / "b.tsv.gz") == rows(place / "c.predictions.tsv") == plain
    frame = pd.read_parquet(place / "d.out.parquet")
    assert frame["activity_0_out_of_range"].dtype == bool
    np.testing.assert_allclose(frame["activity_1_upper"], numbers(plain, "activity_1_upper"), rtol=1e-4, atol=1e-6)
    assert frame["id"].tolist() == [row["id"] for row in plain]
    regions = rows(place / "e.predictions.tsv")
    assert list(regions[0])[:5] == ["chrom", "start", "end", "name", "strand"]
    with (place / "folder" / "f.csv").open() as file:
        reverse = list(csv.DictReader(file))
    for table in (regions, reverse):
        assert [row["name"] for row in table] == [f"s{n}" for n in range(30)]
        assert table[4]["start"] == "163"
        assert [{column: row[column] for column in COLUMNS} for row in table] == [
            {column: row[column] for column in COLUMNS} for row in plain
        ]


def letter_counts(tokens):
    """Two members that count A and C; as noise twice the number of G."""
    counts = np.stack([(tokens == base).sum(axis=1) for base in range(4)], axis=1).astype(float)
    members = np.stack([counts[:, :1], counts[:, 1:2]])
    return Prediction(members.mean(axis=0), std(members), 2 * counts[:, 2:3], members)


def predictor(**settings):
    return FilePredictor(letter_counts, 4, ["y"], std, uncalibrated(["y"]), **settings)


def written(place, predictor, letters, names=None):
    predictor.write(open_sequences(fasta(place / "in.fa", letters, names)), place / "out.tsv", overwrite=True)
    return rows(place / "out.tsv")


def test_windows_cover_a_sequence_to_its_end(place):
    table = written(place, predictor(stride=3), ["AAACCCGGG", "AAAA"])
    assert [(row["id"], row["window_start"], row["window_end"]) for row in table] == [
        *(("s0", "0", "4"), ("s0", "3", "7"), ("s0", "5", "9"), ("s1", "0", "4")),
    ]
    assert numbers(table, "y_mean") == [2.0, 1.5, 0.5, 2.0]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_averages_are_those_of_each_sequence_however_rows_are_put_together(place, monkeypatch, size):
    monkeypatch.setattr(Windows, "size", property(lambda self: size))
    letters = ["AAACCCGGG", "AAAA", "ACGTACGTACGTA", "GGGGGGGGGGGGGGGGGGGGGGGG"]
    table = written(place, predictor(stride=2, average=True), letters)
    assert [row["id"] for row in table] == ["s0", "s1", "s2", "s3"]
    for row, text in zip(table, letters, strict=True):
        starts = [*range(0, len(text) - 3, 2)]
        starts += [len(text) - 4] * (starts[-1] != len(text) - 4)
        part = letter_counts(np.concatenate([tokenize([text[start : start + 4]]) for start in starts]))
        members = part.members.mean(axis=1)[:, 0]
        assert float(row["y_mean"]) == pytest.approx(members.mean(), rel=1e-5)
        assert float(row["y_epistemic"]) == pytest.approx(max(members.std(ddof=1), 1e-6), rel=1e-5)
        noise = np.sqrt(np.mean(part.aleatoric**2))
        assert float(row["y_aleatoric"]) == pytest.approx(max(noise, 1e-6), rel=1e-5)


def test_a_students_windows_are_wrong_together(place):
    def student(tokens):
        whole = letter_counts(tokens)
        return Prediction(whole.mean, 2 * np.log(whole.epistemic), None, None)

    found = FilePredictor(student, 4, ["y"], logvar, uncalibrated(["y"]), stride=2, average=True)
    (row,) = written(place, found, ["AAACCCGG"])
    expected = np.mean(letter_counts(tokenize(["AAAC", "ACCC", "CCGG"])).epistemic)
    assert float(row["y_epistemic"]) == pytest.approx(expected, rel=1e-5)


def test_rows_are_put_together_up_to_a_number_of_letters(monkeypatch):
    monkeypatch.setattr(windows_module, "_FEWEST", 2)
    monkeypatch.setattr(windows_module, "_LETTERS", 12)
    assert [Windows(length).size for length in (1, 4, 100)] == [12, 3, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 5}, "stride from 1 to 4"),
        ({"stride": 0}, "stride from 1 to 4"),
        ({"average": True}, "Ask for windows too"),
    ],
)
def test_windows_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        predictor(**settings)


def test_a_file_that_fails_late_leaves_nothing_and_predicts_nothing(place):
    calls = []

    def counted(tokens):
        calls.append(len(tokens))
        return letter_counts(tokens)

    broken = FilePredictor(counted, 4, ["y"], std, uncalibrated(["y"]))
    with pytest.raises(DataError, match=r"in.fa, record 's2' of line 7, position 1 .* received 'X'"):
        written(place, broken, ["ACGT", "ACGT", "AXGT"])
    assert calls == []
    assert [path.name for path in place.iterdir()] == ["in.fa"]


def test_memory_does_not_grow_with_the_file(place, monkeypatch):
    import tracemalloc

    predict = predictor()
    peaks = []
    monkeypatch.setattr(Windows, "size", property(lambda self: 500))
    for count in (3000, 12_000):
        with (place / "many.fa").open("w") as file:
            file.writelines(f">s{number}\nACGT\n" for number in range(count))
        tracemalloc.start()
        predict.write(open_sequences(place / "many.fa"), place / "many.tsv", overwrite=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
