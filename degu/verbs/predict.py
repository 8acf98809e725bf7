"""The command `degu predict`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from degu.errors import ConfigError
from degu.verbs.options import add_study_options, open_study, positive, probability

HELP = "predict sequences with a trained study: activity, uncertainties and an interval per target"
DESCRIPTION = """\
Predict the sequences of a FASTA file, of a table with a column of sequences (.tsv, .csv, .parquet), or of the regions
of a BED file on a genome. Files may be of any size. For every target the table has <target>_mean, <target>_epistemic
and <target>_aleatoric (standard deviations; the second where the model predicts noise), <target>_lower and
<target>_upper (the interval), and <target>_out_of_range (true where the model is less sure than of nearly all
sequences it knows).

Lower case is read as upper case, N is allowed and counted, other letters are refused. Sequences have the length that
the study was trained on, unless --window asks for windows of longer ones.
"""


def add_predict(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser(
        "predict", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study_options(parser)
    parser.add_argument("input", type=Path, help="sequences: .fa, .fasta, .tsv, .csv, .parquet or .bed; text also .gz")
    parser.add_argument("--genome", type=Path, metavar="FASTA", help="uncompressed genome that a BED file lies on")
    parser.add_argument("--column", default="sequence", help="column of a table with the letters (default: sequence)")
    parser.add_argument("--id", metavar="COLUMN", help="column of a table with names (default: place in the file)")
    parser.add_argument(
        "--level", type=probability, default=0.9, help="probability that an interval holds a measurement (default: 0.9)"
    )
    parser.add_argument(
        "--method",
        choices=("conformal_absolute", "conformal_normalized", "variance_scaling", "gaussian"),
        help="how intervals are made (default: conformal; normalized for targets with an aleatoric column)",
    )
    parser.add_argument("--both-strands", action="store_true", help="predict the mean over both strands")
    parser.add_argument("--window", action="store_true", help="predict windows of longer sequences, a row each")
    parser.add_argument("--stride", type=positive, help="letters from one window to the next (default: no overlap)")
    parser.add_argument("--average", action="store_true", help="average the windows of a sequence, a row a sequence")
    parser.add_argument(
        "-o", "--out", type=Path, help="table: .tsv, .csv (also .gz) or .parquet (default: INPUT.predictions.tsv, here)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a table that exists")
    parser.set_defaults(action=predict)


def predict(options: argparse.Namespace) -> int:
    """Write the table that the options ask for; prints what became of the file as a line of JSON.

    Raises:
        DeguError: When study, sequences or output cannot be used.
    """
    from degu.inference.records import open_sequences
    from degu.inference.tables import check_table

    if not options.window and (options.stride is not None or options.average):
        raise ConfigError("Expected --window with --stride or --average. Received: no --window")
    file = open_sequences(options.input, options.genome, options.column, options.id)
    stem = Path(options.input.name.removesuffix(".gz")).stem
    output = check_table(options.out or Path(f"{stem}.predictions.tsv"), overwrite=options.overwrite)
    with open_study(options) as (study, _):
        rule = study.rule(options.model, options.level, options.method)
        predictor = study.file_predictor(
            options.model,
            rule,
            both_strands=options.both_strands,
            stride=(options.stride or study.length) if options.window else None,
            average=options.average,
        )
        summary = predictor.write(file, output, overwrite=options.overwrite)
    methods = dict(zip(study.names, rule.methods, strict=True))
    told = {**summary._asdict(), "output": str(summary.output), "level": options.level, "methods": methods}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0
