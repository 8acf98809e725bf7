"""Rules that give every row of a table to train, valid or test.

A rule is an object with its settings; a reader takes it in place of a split column, and `degu data split` writes what
it decides into a table. The same seed gives the same splits whatever the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from degu.data.delimited import Table
from degu.data.groups import SPLIT_SEED, deal_groups
from degu.data.kmers import similarity_groups, strandless
from degu.errors import DataError, nearest


class SplitMaker(Protocol):
    """Decides about the rows of a table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it reads, beside the sequence."""

    def __call__(self, table: Table, tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
        """Return ``"train"``, ``"valid"`` or ``"test"`` for each row; another word leaves the row out.

        Args:
            table: Cells of `columns`.
            tokens: Sequences of its rows, shape (N, L).
        """


@dataclass(frozen=True)
class ByChromosome:
    """Whole chromosomes: some are valid, some are test, all others are train.

    Nothing overlaps then, but sequences that are repeated in a genome still stand on both sides.

    Attributes:
        valid: Chromosomes of the valid split.
        test: Chromosomes of the test split.
        chromosome: Column of the chromosome.
        excluded: Chromosomes to leave out.
    """

    valid: Sequence[str]
    test: Sequence[str]
    chromosome: str = "chrom"
    excluded: Sequence[str] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return (self.chromosome,)

    def __call__(self, table: Table, tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
        """Return the split of each row.

        Raises:
            DataError: A chromosome that no row is on, or that is named twice.
        """
        cells = np.array(table.columns[self.chromosome])
        present = sorted(set(table.columns[self.chromosome]))
        labels = np.full(len(cells), "train", dtype="<U8")
        named = {"valid": self.valid, "test": self.test, "excluded": self.excluded}
        names = [str(name) for part in named.values() for name in part]
        if any(isinstance(part, str) for part in named.values()) or len(set(names)) < len(names):
            raise DataError(f"ByChromosome: expected lists of different chromosomes, received {named}.")
        for split, part in named.items():
            for name in map(str, part):
                if name not in present:
                    raise DataError(
                        f"{table.path}, column {self.chromosome!r}: expected rows on {name!r} for {split}, received "
                        f"none. It holds {', '.join(present[:30])}.{nearest(name, present)}"
                    )
                labels[cells == name] = split
        return labels


@dataclass(frozen=True)
class ByBlocks:
    """Blocks of chromosomes, drawn at random: every chromosome is in every split, neighbours stay together.

    A row belongs to the block that its position lies in. Rows that reach from one block into the next can share bases
    with it; choose blocks much longer than the sequences.

    Attributes:
        size: Bases of a block.
        valid: Part of the rows for valid.
        test: Part of the rows for test.
        seed: Seed of the draw.
        chromosome: Column of the chromosome.
        position: Column of the position.
    """

    size: int = 500_000
    valid: float = 0.1
    test: float = 0.1
    seed: int = SPLIT_SEED
    chromosome: str = "chrom"
    position: str = "start"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return (self.chromosome, self.position)

    def __call__(self, table: Table, tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
        """Return the split of each row.

        Raises:
            DataError: A position that is no whole number, or too few blocks.
        """
        if self.size < 1:
            raise DataError(f"ByBlocks: expected a size of at least 1 base, received {self.size}.")
        blocks = []
        for row, (name, cell) in enumerate(
            zip(table.columns[self.chromosome], table.columns[self.position], strict=True)
        ):
            if not (cell.isascii() and cell.isdigit()):
                raise DataError(f"{table.at(row, self.position)}: expected a position, received {cell!r}.")
            blocks.append(f"{name}:{int(cell) // self.size}")
        return deal_groups(blocks, self.valid, self.test, self.seed)


@dataclass(frozen=True)
class BySimilarity:
    """Groups of sequences that share a stretch of letters on either strand, directly or through others.

    Overlapping tiles, near-duplicates and the two orientations of an element end up in one split.

    Attributes:
        k: Letters of the stretch; random sequences of genomes share 20 or more only where something is repeated.
        valid: Part of the rows for valid.
        test: Part of the rows for test.
        seed: Seed of the draw.
    """

    k: int = 40
    valid: float = 0.1
    test: float = 0.1
    seed: int = SPLIT_SEED

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return ()

    def __call__(self, table: Table, tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
        """Return the split of each row.

        Raises:
            DataError: A stretch longer than the sequences, or too few groups.
        """
        group = similarity_groups(tokens, self.k)
        # named after its smallest member, so that the order of rows does not matter
        name = np.full(len(tokens), np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(name, group, strandless(tokens))
        return deal_groups(name[group], self.valid, self.test, self.seed)


@dataclass(frozen=True)
class AtRandom:
    """Single sequences at random; a sequence, its copies and its reverse complement stay together.

    Overlapping sequences do not: a model can then score well by remembering. Use it for designed or random libraries.

    Attributes:
        valid: Part of the rows for valid.
        test: Part of the rows for test.
        seed: Seed of the draw.
    """

    valid: float = 0.1
    test: float = 0.1
    seed: int = SPLIT_SEED

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return ()

    def __call__(self, table: Table, tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
        """Return the split of each row.

        Raises:
            DataError: Too few different sequences.
        """
        return deal_groups(strandless(tokens), self.valid, self.test, self.seed)
