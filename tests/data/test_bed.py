from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

from degu.data import ByChromosome, detokenize, read_bed, reverse_complement, tokenize
from degu.errors import DataError

RULE = ByChromosome(valid=["chr2"], test=["chr3"])
BED = "chr1\t0\t8\ta\t0.5\t+\nchr1\t8\t16\tb\t1.5\t-\nchr2\t4\t12\tc\t2\t.\nchr3\t12\t20\td\t3\t-\n"


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "genome.fa"
    with path.open("w", encoding="ascii") as file:
        for name in ("chr1", "chr2", "chr3"):
            file.write(f">{name} assembly 0\n{''.join(rng.choice(list('ACGTacgtNR'), 40))}\n")
    return path


@pytest.fixture
def track(tmp_path: Path) -> Path:
    path = tmp_path / "track.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(name, 40) for name in ("chr1", "chr2", "chr3")])
        file.addEntries(
            ["chr1", "chr1", "chr2", "chr3"], [0, 8, 4, 14], ends=[8, 12, 12, 20], values=[1.0, 3.0, 5.0, 7.0]
        )
    return path


def write(folder: Path, text: str, name: str = "regions.bed") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def letters(genome: Path, chrom: str, start: int, end: int) -> str:
    lines = genome.read_text().splitlines()
    whole = lines[next(i for i, line in enumerate(lines) if line.startswith(f">{chrom} ")) + 1]
    return "".join(letter if letter in "ACGT" else "N" for letter in whole[start:end].upper())


def test_regions_are_read_on_their_strand(tmp_path: Path, genome: Path) -> None:
    splits = read_bed(write(tmp_path, BED), genome, targets=["score"], split=RULE)

    forward, backward = letters(genome, "chr1", 0, 8), letters(genome, "chr1", 8, 16)
    assert detokenize(splits.train.tokens) == [forward, detokenize(reverse_complement(tokenize([backward])))[0]]
    assert detokenize(splits.valid.tokens) == [letters(genome, "chr2", 4, 12)]
    np.testing.assert_allclose(splits.train.targets[:, 0], [0.5, 1.5])
    assert splits.target_names == ("score",)


def test_order_of_regions_does_not_matter(tmp_path: Path, genome: Path) -> None:
    lines = BED.splitlines(keepends=True)
    one = read_bed(write(tmp_path, BED), genome, targets=["score"], split=RULE)
    two = read_bed(write(tmp_path, "".join(lines[::-1]), "b.bed"), genome, targets=["score"], split=RULE)
    assert sorted(detokenize(one.train.tokens)) == sorted(detokenize(two.train.tokens))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1.0, 1.5, 5.0, 5.25]),
        ({"uncovered": None}, [1.0, 3.0, 5.0, 7.0]),
        ({"log2_pseudocount": 1.0}, np.log2([2.0, 2.5, 6.0, 6.25])),
    ],
)
def test_a_track_gives_its_mean_over_each_region(
    tmp_path: Path, genome: Path, track: Path, arguments: dict[str, Any], expected: list[float]
) -> None:
    splits = read_bed(write(tmp_path, BED), genome, bigwigs={"K562": track}, split=RULE, **arguments)
    found = [*splits.train.targets[:, 0], *splits.valid.targets[:, 0], *splits.test.targets[:, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert splits.target_names == ("K562",)


def test_tracks_can_be_replicates_of_a_target(tmp_path: Path, genome: Path, track: Path) -> None:
    bigwigs = {"mean": track, "rep1": track, "rep2": track}
    splits = read_bed(write(tmp_path, BED), genome, bigwigs=bigwigs, replicates={"mean": ["rep1", "rep2"]}, split=RULE)
    assert splits.target_names == ("mean",)
    np.testing.assert_array_equal(splits.test.target_std, [[0.0]])


def test_regions_are_resized_around_their_middle(tmp_path: Path, genome: Path) -> None:
    splits = read_bed(
        write(tmp_path, BED.replace("chr1\t0", "chr1\t2")), genome, targets=["score"], split=RULE, length=4
    )
    assert detokenize(splits.train.tokens)[0] == letters(genome, "chr1", 3, 7)
    assert splits.length == 4


def test_values_are_joined_by_name_or_by_order(tmp_path: Path, genome: Path) -> None:
    path = write(tmp_path, BED)
    table = write(tmp_path, "name\tactivity\nd\t4\nc\t3\nb\t2\na\t1\n", "values.tsv")
    by_name = read_bed(path, genome, values=table, targets=["activity"], split=RULE)
    by_order = read_bed(path, genome, values=table, targets=["activity"], id=None, split=RULE)
    np.testing.assert_array_equal(by_name.train.targets[:, 0], [1, 2])
    np.testing.assert_array_equal(by_order.train.targets[:, 0], [4, 3])


def test_a_column_can_name_the_split(tmp_path: Path, genome: Path) -> None:
    names = ["train", "train", "valid", "test"]
    text = "".join(f"{line}\t{name}\n" for line, name in zip(BED.splitlines(), names, strict=True))
    splits = read_bed(write(tmp_path, text), genome, targets=["score"], split="column7")
    assert [len(part) for _, part in splits.items()] == [2, 1, 1]


def test_overlap_across_splits_is_counted(tmp_path: Path, genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "chr1\t0\t8\ta\t1\nchr1\t4\t12\tb\t2\nchr1\t20\t28\tc\t3\nchr1\t30\t38\td\t1\n"
    lines = "".join(
        f"{line}\t.\t{name}\n" for line, name in zip(text.splitlines(), ["train", "test", "valid", "test"], strict=True)
    )
    with caplog.at_level(logging.WARNING):
        read_bed(write(tmp_path, lines), genome, targets=["score"], split="column7")
    assert "1 region(s) share bases with a region of another split" in caplog.text


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (BED.replace("\t", " "), {}, "line 1: expected tab-separated chrom, start and end"),
        (BED.replace("8\t16", "16\t8"), {}, "line 2: expected an end behind the start"),
        (BED.replace("8\t16", "x\t16"), {}, "line 2, start: expected a whole number"),
        (BED.replace("12\t20", "32\t41"), {}, "line 4: expected a region within chr3, which has 40 bases"),
        (BED.replace("chr3", "3"), {"split": ByChromosome(["chr2"], ["3"])}, "received '3'. Did you mean 'chr3'"),
        (BED.replace("-", "x"), {}, "line 2, strand: expected"),
        (BED.replace("\t+", ""), {}, "line 2: expected 5 columns as in line 1, received 6"),
        ("# nothing\n", {}, "expected regions, received none"),
        (BED, {"targets": ["signal"]}, "expected a column 'signal'"),
        (BED, {"split": ByChromosome(["chr9"], ["chr3"])}, "expected rows on 'chr9' for valid"),
        (BED.replace("8\t16", "8\t17"), {}, "expected 8 letters as in .*received 9"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, genome: Path, text: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_bed(write(tmp_path, text), genome, **({"targets": ["score"], "split": RULE} | arguments))


def test_a_track_that_does_not_fit_is_named(tmp_path: Path, genome: Path, track: Path) -> None:
    path = write(tmp_path, BED)
    short = tmp_path / "short.bw"
    with pyBigWig.open(str(short), "w") as file:
        file.addHeader([("chr1", 40), ("chr2", 10), ("chr3", 40)])
        file.addEntries(["chr1"], [0], ends=[8], values=[-1.0])
    none = write(tmp_path, "not a track " * 20, "none.bw")
    for name, arguments, message in [
        (short, {}, "within chr2 of .*short.bw, which has 10 bases"),
        (none, {}, "expected a bigWig file"),
        (track, {"log2_pseudocount": -1.0}, "line 1: expected a mean above 1"),
    ]:
        with pytest.raises(DataError, match=message):
            read_bed(path, genome, bigwigs={"a": name}, split=RULE, **arguments)
