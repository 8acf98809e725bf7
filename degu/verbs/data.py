"""The commands `degu data check`, `degu data split` and `degu data saturation`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.errors import ConfigError, DataError

if TYPE_CHECKING:
    from degu.data.split_makers import SplitMaker
    from degu.data.survey import Survey

CHECK_HELP = "describe a data set and say what about it will get in the way"
CHECK = """\
Describe a data set: rows, lengths, letters, repeated sequences, sequences in more than one split on either strand, GC,
distributions of the targets, missing values, agreement of replicates and the noise ceiling that follows from it.

  degu data check my.tsv --targets Dev Hk --split set --train training --test testing
  degu data check data=deepstarr              a data set of the config, with any values after it
  degu data check data=hdf5 data.path=my.h5

Exit status: 0 nothing to mend, 1 problems found, 2 the data cannot be read.
"""
SPLIT_HELP = "write a table with a split column"
SPLIT = """\
Write a copy of a table with a column that says train, valid or test.

  degu data split my.tsv -o split.tsv --by similarity --k 40     sequences that share 40 letters stay together
  degu data split my.tsv -o split.tsv --by chromosome --valid chr8 --test chr9
  degu data split my.tsv -o split.tsv --by blocks --size 500000  blocks of chromosomes, at random
  degu data split my.tsv -o split.tsv --by random                single sequences; both strands of one stay together
"""
SATURATION_HELP = "download the measured variants of a regulatory element"
SATURATION = """\
Download the saturation mutagenesis of an element (Kircher et al. 2019, doi:10.1038/s41467-019-11526-w) as a VCF file
and print where it is; degu variants takes it. PKLR was measured in K562; F9, LDLR and SORT1 in HepG2.
"""
_PART = 0.1


def add_data(verbs: Any) -> None:
    """Add the commands to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser("data", help="check, split and fetch data sets")
    kinds = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(action=lambda _: parser.error(f"expected a command: {', '.join(kinds.choices)}"))
    raw = argparse.RawDescriptionHelpFormatter
    checking = kinds.add_parser("check", help=CHECK_HELP, description=CHECK, formatter_class=raw)
    checking.add_argument("data", nargs="+", metavar="FILE | data=NAME", help="a file, or values of the config")
    _add_columns(checking)
    checking.add_argument("--targets", nargs="+", metavar="COLUMN", help="columns of measured values")
    checking.add_argument("--split", metavar="COLUMN", help="column of the split (default: split, if there is one)")
    for name in ("train", "valid", "test"):
        checking.add_argument(f"--{name}", nargs="+", metavar="VALUE", help=f"what that column holds for {name}")
    checking.add_argument("--id", metavar="COLUMN", help="column of row names, which must be unique")
    checking.add_argument("--target-std", nargs="+", metavar="COLUMN", help="columns with standard deviations")
    checking.add_argument(
        "--replicates", action="append", default=[], metavar="TARGET=COLUMN,COLUMN", help="replicates of a target"
    )
    checking.add_argument("--json", action="store_true", help="print facts and findings as JSON")
    checking.set_defaults(action=check)
    splitting = kinds.add_parser("split", help=SPLIT_HELP, description=SPLIT, formatter_class=raw)
    splitting.add_argument("file", type=Path, help="a table: .tsv, .csv (also .gz) or .parquet")
    splitting.add_argument("-o", "--output", type=Path, required=True, help="table to write: .tsv or .csv, also .gz")
    splitting.add_argument("--by", required=True, choices=["chromosome", "blocks", "similarity", "random"])
    _add_columns(splitting)
    splitting.add_argument("--column", default="split", help="name of the new column (default: split)")
    splitting.add_argument("--valid", nargs="+", default=[], metavar="PART", help="part of the rows, or chromosomes")
    splitting.add_argument("--test", nargs="+", default=[], metavar="PART", help="part of the rows, or chromosomes")
    splitting.add_argument("--seed", type=int, default=1234, help="seed of the draw (default: 1234)")
    splitting.add_argument("--k", type=int, default=40, help="letters that similar sequences share (default: 40)")
    splitting.add_argument("--size", type=int, default=500_000, help="bases of a block (default: 500000)")
    splitting.add_argument("--chromosome", default="chrom", metavar="COLUMN", help="its column (default: chrom)")
    splitting.add_argument("--position", default="start", metavar="COLUMN", help="its column (default: start)")
    splitting.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    splitting.set_defaults(action=split)
    fetching = kinds.add_parser("saturation", help=SATURATION_HELP, description=SATURATION, formatter_class=raw)
    fetching.add_argument("element", help="for example PKLR")
    fetching.set_defaults(action=saturation)


def check(options: argparse.Namespace) -> int:
    """Describe the data that the options name; prints text, or JSON.

    Raises:
        DeguError: When the data cannot be read.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    survey = _survey(options)
    if options.json:
        findings = [finding._asdict() for finding in survey.findings]
        text = json.dumps({"facts": _plain(survey.facts), "findings": findings, "problems": survey.problems}, indent=2)
    else:
        from degu.verbs.survey_text import survey_text

        text = survey_text(survey)
    sys.stdout.write(text + "\n")
    return 1 if survey.problems else 0


def split(options: argparse.Namespace) -> int:
    """Write the table that the options ask for; prints rows by split as a line of JSON.

    Raises:
        DeguError: When the table cannot be read, split or written.
    """
    from degu.data.splitting import write_split

    maker = _maker(options)
    rows = write_split(
        options.file,
        options.output,
        maker,
        sequence=options.sequence,
        column=options.column,
        delimiter=options.delimiter,
        overwrite=options.overwrite,
    )
    sys.stdout.write(json.dumps({**rows, "output": str(options.output)}) + "\n")
    return 0


def saturation(options: argparse.Namespace) -> int:
    """Download the variants of an element and print the path of the file.

    Raises:
        DeguError: When it cannot be had.
    """
    from degu.data.saturation import saturation_mutagenesis

    sys.stdout.write(f"{saturation_mutagenesis(options.element)}\n")
    return 0


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sequence", default="sequence", metavar="COLUMN", help="column of DNA (default: sequence)")
    parser.add_argument("--delimiter", help="what separates columns (default: from the name of the file)")


def _survey(options: argparse.Namespace) -> Survey:
    from degu.data.lines import existing_file
    from degu.data.survey import survey_splits

    if any("=" in word for word in options.data):
        return survey_splits(_configured(options.data))
    if len(options.data) > 1:
        raise ConfigError(f"Expected one file, or values of the form key=value. Received: {' '.join(options.data)}")
    file = existing_file(options.data[0])
    readers = {".h5": "read_hdf5", ".hdf5": "read_hdf5", ".npz": "read_npz"}
    if file.suffix.lower() in readers:
        import degu.data

        return survey_splits(getattr(degu.data, readers[file.suffix.lower()])(file, targets=options.targets))
    from degu.data.table_survey import Question, survey_table

    return survey_table(
        file,
        Question(
            options.sequence,
            options.targets,
            _split_column(file, options),
            _meanings(options),
            options.id,
            options.target_std,
            _replicates(options.replicates),
            options.delimiter,
        ),
    )


def _configured(words: Sequence[str]) -> Any:
    """Build the data set that values of the config describe."""
    from degu.config import build, compose_data

    return build(compose_data(words))


def _split_column(file: Path, options: argparse.Namespace) -> str | None:
    if options.split is not None:
        return options.split
    from degu.data.delimited import header_of

    return "split" if "split" in header_of(file, options.delimiter) else None


def _meanings(options: argparse.Namespace) -> dict[str, list[str]] | None:
    given = {name: getattr(options, name) for name in ("train", "valid", "test")}
    if not any(given.values()):
        return None
    return {name: values or [name] for name, values in given.items()}


def _replicates(texts: Sequence[str]) -> dict[str, list[str]]:
    found = {}
    for text in texts:
        target, _, columns = text.partition("=")
        if not target or len(columns.split(",")) < 2:
            raise ConfigError(f"Expected --replicates TARGET=COLUMN,COLUMN. Received: {text!r}")
        found[target] = columns.split(",")
    return found


def _maker(options: argparse.Namespace) -> SplitMaker:
    from degu.data import AtRandom, ByBlocks, ByChromosome, BySimilarity

    if options.by == "chromosome":
        if not options.valid or not options.test:
            raise ConfigError("Expected --valid and --test with chromosomes, such as --valid chr8 --test chr9")
        return ByChromosome(options.valid, options.test, options.chromosome)
    valid, test = (_part(name, getattr(options, name)) for name in ("valid", "test"))
    if options.by == "blocks":
        return ByBlocks(options.size, valid, test, options.seed, options.chromosome, options.position)
    if options.by == "similarity":
        return BySimilarity(options.k, valid, test, options.seed)
    return AtRandom(valid, test, options.seed)


def _part(name: str, words: Sequence[str]) -> float:
    try:
        (value,) = map(float, words or [str(_PART)])
    except ValueError:
        raise DataError(f"--{name}: expected a part of the rows such as 0.1, received {' '.join(words)}.") from None
    return value


def _plain(value: Any) -> Any:
    """Return facts as JSON holds them: null in place of NaN."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and value != value else value
