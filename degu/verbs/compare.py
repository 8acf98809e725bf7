"""The command `degu compare`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.verbs.options import add_store

if TYPE_CHECKING:
    from degu.report.compared import Line
    from degu.report.study import Study

HELP = "compare finished studies over their seeds, with confidence intervals"
DESCRIPTION = """\
Compare studies. Those that differ in their seed alone are repetitions: their metrics become a mean with a 95 %
confidence interval (Student's t), and differences between models of one study, or between settings, are estimated from
pairs with the same seed (paired t-test). Settings are what differs in the commands of the studies.

  degu compare outputs/inherit                                     every study below a folder
  degu compare outputs/a outputs/b --metric 'test/*/crps' -o results.csv --figure crps
  degu compare outputs/dose --against downsample.fraction=1.0      every fraction against all data
"""


def add_compare(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser(
        "compare", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "studies", nargs="+", metavar="STUDY", help="its folder, a folder with studies below, or its run id"
    )
    add_store(parser)
    parser.add_argument(
        "--metric",
        action="append",
        metavar="PATTERN",
        help="SPLIT/FAMILY/METRIC, with * and ?; repeatable (default: the studies' headline on the test split)",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting to compare all others with; repeatable",
    )
    parser.add_argument("-o", "--output", type=Path, help="write the table as CSV")
    parser.add_argument("--figure", type=Path, metavar="NAME", help="draw the first metric as NAME.png and NAME.svg")
    parser.set_defaults(action=compare)


def compare(options: argparse.Namespace) -> int:
    """Compare the studies that the options name, and print the table.

    Raises:
        DeguError: When there are no such studies, metrics or settings.
    """
    from degu.report.compared import as_csv, lines_of, side_by_side

    against = _settings(options.against)
    studies = [study for place in options.studies for study in _found(options, place)]
    compared = side_by_side(studies)
    patterns = options.metric or _headlines(studies)
    lines = lines_of(compared, patterns, against or None)
    if options.output is not None:
        from degu.data.whole import whole_text

        with whole_text(options.output) as file:
            file.write(as_csv(compared.names, lines))
    if options.figure is not None:
        from degu.report.compared_figures import settings_figure
        from degu.report.drawing import save

        shown = lines_of(compared, patterns[:1])
        save(settings_figure(compared.names, shown, shown[0].metric), options.figure.parent, options.figure.name)
    sys.stdout.write(_table(compared.names, lines) + "\n")
    return 0


def _found(options: argparse.Namespace, place: str) -> list[Study]:
    from degu.report.compared import find_studies
    from degu.tracking.fetching import located_study

    with located_study(place, options.tracking_uri, options.root) as found:
        return find_studies(found.folder)


def _settings(texts: Sequence[str]) -> dict[str, str]:
    from degu.errors import ConfigError

    found = dict(text.partition("=")[::2] for text in texts)
    if any("=" not in text for text in texts):
        raise ConfigError(f"Expected --against KEY=VALUE. Received: {', '.join(texts)}")
    return found


def _headlines(studies: Sequence[Study]) -> list[str]:
    return list(dict.fromkeys(f"test/{study.family}/{study.headline}" for study in studies))


def _table(names: Sequence[str], lines: Sequence[Line]) -> str:
    from degu.report.table import aligned

    rows = [[*names, "metric", "target", "model", "studies", "mean", "95 % interval", "p"]]
    for line in lines:
        model = f"{line.model} - {line.minus}" if line.minus else line.model
        model = f"{model} - [{line.against}]" if line.against else model
        count, mean, _, low, high, p_value = line.estimate
        signed = "+.4f" if line.minus or line.against else ".4f"
        interval = "" if low != low else f"{low:{signed}} to {high:{signed}}"
        p = "" if p_value is None else f"{p_value:.2g}"
        rows.append([*line.setting, line.metric, line.target, model, str(count), f"{mean:{signed}}", interval, p])
    return "\n".join(aligned(rows))
