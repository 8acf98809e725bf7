"""The command `degu variants`."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.verbs.options import add_study_options, open_study, probability

if TYPE_CHECKING:
    from degu.trained import TrainedStudy
    from degu.variants.files import Summary

HELP = "score the variants of a VCF file or a table with a trained study"
DESCRIPTION = """\
Score variants: how much each changes the predicted activity, an interval around that, and whether the sequences are
outside of what the model knows. A VCF file needs --fasta. A table (.tsv, .csv) has the columns sequence, position, ref
and alt; sequence holds letters, or with --fasta names of sequences; positions count from 0.

Standard deviations of an ensemble's effects are those of its members' effects. A student has no members: its standard
deviations are an upper bound.
"""


def add_variants(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser(
        "variants", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study_options(parser)
    parser.add_argument("file", type=Path, help="variants: .vcf, .tsv or .csv, each also with .gz")
    parser.add_argument("--fasta", type=Path, help="uncompressed FASTA file that the variants lie on, such as a genome")
    parser.add_argument("-o", "--output", type=Path, help="table of effects (default: FILE.effects.tsv, here)")
    parser.add_argument("--both-strands", action="store_true", help="predict the mean over both strands")
    parser.add_argument("--one-based", action="store_true", help="positions of a table count from 1")
    parser.add_argument("--id", metavar="COLUMN", help="column of a table with names of its rows")
    parser.add_argument(
        "--confidence-level", type=probability, default=0.95, help="probability of the interval (default: 0.95)"
    )
    parser.set_defaults(action=variants)


def variants(options: argparse.Namespace) -> int:
    """Score the variants that the options name; prints what became of them as a line of JSON.

    Raises:
        DeguError: When study or variants cannot be used.
    """
    from degu.data.lines import existing_file

    existing_file(options.file)
    if options.fasta is not None:
        existing_file(options.fasta)
    with open_study(options) as (study, _):
        summary = _score(options, study)
    sys.stdout.write(json.dumps({**summary._asdict(), "output": str(summary.output)}) + "\n")
    return 0


def _score(options: argparse.Namespace, study: TrainedStudy) -> Summary:
    from degu.uncertainty import Spread
    from degu.variants import Scorer, VariantTable, score_variants

    spread = study.ensembler.uncertainty_fun
    scorer = Scorer(
        partial(study.predict, row=options.model),
        study.length,
        is_both_strands=options.both_strands,
        confidence_level=options.confidence_level,
        limit=study.limit(options.model),
        bound=spread if options.model == "student" and isinstance(spread, Spread) else None,
    )
    file = options.file
    if options.one_based or options.id is not None:
        file = VariantTable(file, options.fasta is not None, id=options.id, is_one_based=options.one_based)
    output = options.output or Path(f"{_stem(options.file)}.effects.tsv")
    return score_variants(scorer, file, output, study.names, options.fasta)


def _stem(file: Path) -> str:
    """Return a file's name without what says its format."""
    return Path(file.name.removesuffix(".gz")).stem
