"""From a file of variants to a table of their effects."""

from __future__ import annotations

import contextlib
import csv
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from degu.data.lines import existing_file
from degu.data.whole import check_output, whole_text
from degu.errors import DataError
from degu.progress import Progress
from degu.variants.effects import Effects
from degu.variants.reading import VariantFile, VariantTable, VcfFile
from degu.variants.scoring import Scorer
from degu.variants.sources import Genome, Source, Spelled
from degu.variants.variant import Variant

log = logging.getLogger(__name__)


class Summary(NamedTuple):
    """What became of a file of variants.

    Attributes:
        output: The table of effects.
        scored: Its rows.
        skipped: Variants that were left out, by the reason.
        repeated: Rows whose variant is also in an earlier one.
    """

    output: Path
    scored: int
    skipped: dict[str, int]
    repeated: int


def score_variants(
    scorer: Scorer,
    file: VariantFile | str | Path,
    output: str | Path,
    names: Sequence[str],
    fasta: str | Path | None = None,
) -> Summary:
    """Score the variants of a file and write a table of their effects.

    All variants are checked before the first is predicted. Those that are not spelled out (`<DEL>`, `*`, breakends) or
    longer than the window are left out and counted; anything else that does not fit is an error. A variant that occurs
    twice is scored twice and counted.

    Args:
        scorer: How variants are scored.
        file: A VCF file (`.vcf`, `.vcf.gz`), a table with the columns `sequence`, `position`, `ref`, `alt` (`.tsv`,
            `.csv`, with `.gz`), or a `VariantTable` of other columns. With `fasta` the column `sequence` of a table
            holds names, without it letters.
        output: A `.tsv` or `.csv` file, compressed where the name ends in `.gz`; an existing file is replaced. Rows
            appear in the order of the file; see `effect_columns` for the columns.
        names: The K target names.
        fasta: Sequences that the variants lie on, such as a genome. A VCF file needs one.

    Returns:
        What became of the variants.

    Raises:
        DataError: When a file cannot be read, or a variant does not fit its sequence.
    """
    variants = _opened(file, fasta)
    target = check_output(output)
    delimiter = _delimiter(target)
    with contextlib.ExitStack() as stack:
        source: Source = Spelled() if fasta is None else stack.enter_context(Genome(fasta))
        survey = scorer.survey(variants, source)
        if not survey.scored:
            raise DataError(
                f"{file}: expected variants that can be scored, received none (left out: {survey.skipped})."
            )
        _report(survey.skipped, survey.repeated)
        with whole_text(target) as text, Progress("variants", survey.scored, "variant") as progress:
            writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
            done = 0
            for chunk, effects in scorer.stream(variants, source):
                columns = effect_columns(effects, names)
                if not done:
                    writer.writerow([*variants.header, *columns])
                writer.writerows(_rows(chunk, columns))
                done += len(chunk)
                progress.reach(done)
    return Summary(target, *survey)


def effect_columns(effects: Effects, names: Sequence[str]) -> dict[str, NDArray]:
    """Return effects as columns of a table.

    Args:
        effects: Effects of N variants on K targets.
        names: The K target names.

    Returns:
        Columns `(N,)` by name: for every target `<target>_ref`, `_alt`, `_effect`, `_std`, `_lower`, `_upper` and, if
        the effects have them, `_noise_std`, `_total_std` and `_out_of_range`.

    Raises:
        ValueError: When the number of names is not that of the targets.
    """
    if len(names) != effects.effect.shape[1]:
        raise ValueError(f"Expected {effects.effect.shape[1]} target names. Received: {list(names)}")
    return {
        f"{name}_{kind}": values[:, number]
        for number, name in enumerate(names)
        for kind, values in effects._asdict().items()
        if values is not None
    }


def _opened(file: VariantFile | str | Path, fasta: str | Path | None) -> VariantFile:
    if not isinstance(file, str | Path):
        return file
    path = existing_file(file)
    if Path(path.name.removesuffix(".gz")).suffix.lower() != ".vcf":
        return VariantTable(path, is_named=fasta is not None)
    if fasta is None:
        raise DataError(f"{path}: expected a FASTA file with the sequences of a VCF file, received none.")
    return VcfFile(path)


def _report(skipped: dict[str, int], repeated: int) -> None:
    for reason, count in skipped.items():
        log.warning("Left out %d variant(s): %s", count, reason)
    if repeated:
        log.warning("%d variant(s) occur more than once; each row is scored", repeated)


def _delimiter(target: Path) -> str:
    suffix = Path(target.name.removesuffix(".gz")).suffix.lower()
    if suffix not in (".tsv", ".csv"):
        raise DataError(f"{target}: expected a name that ends in .tsv or .csv (or .tsv.gz, .csv.gz).")
    return "\t" if suffix == ".tsv" else ","


def _rows(chunk: Sequence[Variant], columns: dict[str, NDArray]) -> Iterator[list[str]]:
    texts = [_texts(values) for values in columns.values()]
    for variant, *cells in zip(chunk, *texts, strict=True):
        yield [*variant.cells, *cells]


def _texts(values: NDArray) -> list[str]:
    if values.dtype == np.bool_:
        return ["true" if value else "false" for value in values]
    return ["NA" if np.isnan(value) else f"{value:.6g}" for value in values]
