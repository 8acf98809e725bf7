from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degu.data import AtRandom, ByBlocks, ByChromosome, BySimilarity, detokenize, read_table, reverse_complement
from degu.data.delimited import Table
from degu.data.kmers import similarity_groups, strandless
from degu.data.roles import Roles
from degu.errors import DataError

N = 400


def tiles(seed: int = 0) -> tuple[Table, np.ndarray]:
    """Overlapping windows of three chromosomes, each followed by its reverse complement."""
    rng = np.random.default_rng(seed)
    chroms, starts, rows = [], [], []
    for name in ("chr1", "chr2", "chrX"):
        chrom = rng.integers(0, 4, 8000, dtype=np.uint8)
        for start in range(0, 7900, 120):
            window = chrom[start : start + 100]
            rows += [window, reverse_complement(window[None])[0]]
            chroms += [name] * 2
            starts += [str(start)] * 2
    table = Table(Path("t.tsv"), list(range(2, 2 + len(rows))), {"chrom": chroms, "start": starts})
    return table, np.array(rows)


def parts(labels: np.ndarray) -> dict[str, float]:
    return {name: float(np.mean(labels == name)) for name in ("train", "valid", "test")}


@pytest.mark.parametrize("maker", [ByBlocks(size=1000), BySimilarity(k=20), AtRandom()])
def test_parts_are_about_those_asked_for_and_follow_the_seed(maker: Any) -> None:
    table, tokens = tiles()
    labels = maker(table, tokens)
    assert set(labels.tolist()) == {"train", "valid", "test"}
    assert abs(parts(labels)["test"] - 0.1) < 0.05
    assert abs(parts(labels)["valid"] - 0.1) < 0.05
    np.testing.assert_array_equal(labels, maker(table, tokens))
    other = type(maker)(**{**maker.__dict__, "seed": 7})
    assert (other(table, tokens) != labels).any()


@pytest.mark.parametrize("maker", [ByBlocks(size=1000), BySimilarity(k=20), AtRandom()])
def test_the_order_of_rows_does_not_matter(maker: Any) -> None:
    table, tokens = tiles()
    order = np.random.default_rng(3).permutation(len(tokens))
    np.testing.assert_array_equal(maker(table.take(order), tokens[order]), maker(table, tokens)[order])


@pytest.mark.parametrize(
    "maker", [ByBlocks(size=1000), BySimilarity(k=20), AtRandom(), ByChromosome(["chr2"], ["chrX"])]
)
def test_strands_stay_together(maker: Any) -> None:
    table, tokens = tiles()
    labels = maker(table, tokens)
    for name in np.unique(strandless(tokens)):
        assert len(set(labels[strandless(tokens) == name].tolist())) == 1


def test_similar_sequences_stay_together() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 4, (60, 80), dtype=np.uint8)
    tokens = np.concatenate([base, np.roll(base, 30, axis=1), reverse_complement(np.roll(base, -20, axis=1))])
    table = Table(Path("t"), list(range(len(tokens))), {})
    labels = BySimilarity(k=25)(table, tokens)
    group = similarity_groups(tokens, 25)
    assert len(set(group.tolist())) == 60
    for name in set(group.tolist()):
        assert len(set(labels[group == name].tolist())) == 1
    assert len({tuple(labels[i::60].tolist()) for i in range(60)}) == 3


def test_chromosomes_are_as_named() -> None:
    table, tokens = tiles()
    labels = ByChromosome(["chr2"], ["chrX"])(table, tokens)
    names = np.array(table.columns["chrom"])
    assert {str(n): set(labels[names == n].tolist()) for n in set(names.tolist())} == {
        "chr1": {"train"},
        "chr2": {"valid"},
        "chrX": {"test"},
    }
    excluded = ByChromosome(["chr2"], ["chrX"], excluded=["chr1"])(table, tokens)
    assert set(excluded[names == "chr1"].tolist()) == {"excluded"}


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (ByChromosome(["chr7"], ["chrX"]), "expected rows on 'chr7' for valid, received none"),
        (ByChromosome(["chr2"], ["chr2"]), "expected lists of different chromosomes"),
        (ByChromosome("chr2", ["chrX"]), "expected lists of different chromosomes"),
        (ByBlocks(size=0), "expected a size of at least 1 base"),
        (ByBlocks(size=10**9, chromosome="one"), "none are left for valid"),
        (AtRandom(valid=0.5, test=0.5), "expected parts above 0 whose sum is below 1"),
        (BySimilarity(k=101), "k: expected a number of letters from 1 to 100"),
        (BySimilarity(k=3), "none are left for .*the largest with 396"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(maker: Any, message: str) -> None:
    table, tokens = tiles()
    table.columns["one"] = ["chr1"] * len(tokens)
    with pytest.raises(DataError, match=message):
        maker(table, tokens)


def test_a_rule_takes_the_place_of_a_column(tmp_path: Path) -> None:
    table, tokens = tiles()
    lines = [
        f"{text}\t{chrom}\t{row}\n"
        for row, (text, chrom) in enumerate(zip(detokenize(tokens), table.columns["chrom"], strict=True))
    ]
    path = tmp_path / "t.tsv"
    path.write_text("sequence\tchrom\ty\n" + "".join(lines))
    splits = read_table(path, targets=["y"], split=ByChromosome(["chr2"], ["chrX"]))
    assert [len(part) for _, part in splits.items()] == [132, 132, 132]
    assert Roles(["y"], split=ByBlocks()).columns() == ["sequence", "chrom", "start", "y"]


def test_several_values_of_a_column_can_be_one_split(tmp_path: Path) -> None:
    _, tokens = tiles()
    path = tmp_path / "t.tsv"
    path.write_text(
        "sequence\tfold\ty\n" + "".join(f"{text}\t{row % 10}\t1\n" for row, text in enumerate(detokenize(tokens)))
    )
    splits = read_table(path, targets=["y"], split="fold", splits={"train": [*range(8)], "valid": 8, "test": [9]})
    assert [len(part) for _, part in splits.items()] == [318, 39, 39]
