"""The command `degu attribute`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degu.errors import ConfigError, nearest
from degu.verbs.options import add_study_options, open_study, positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from degu.attribution import Output, References
    from degu.trained import TrainedStudy
    from degu.verbs.sequences import NamedSequences

HELP = "say which letters of sequences a prediction, or its uncertainty, comes from"
METHODS = ("saliency", "mutagenesis", "integrated_gradients", "expected_gradients")
DESCRIPTION = """\
Attribute predictions to letters. For every target a folder gets attributions.h5, ohe.npz and shap.npz (what TF-MoDISco
and tangermeme read), sequences.fa, contributions.tsv, and logos of the first sequences. Without --sequences it takes
those of the study's test split with the highest measurement.

Maps of saliency and mutagenesis are corrected: the mean over the four letters of a position is removed. Of an
ensemble's mean the contributions come with their standard deviation over members.
"""


def add_attribute(verbs: Any) -> None:
    """Add the command to a parser's subcommands.

    Args:
        verbs: What `argparse.ArgumentParser.add_subparsers` returned.
    """
    parser = verbs.add_parser(
        "attribute", help=HELP, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_study_options(parser)
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="(default: saliency)")
    parser.add_argument(
        "--column",
        choices=("mean", "aleatoric", "epistemic"),
        default="mean",
        help="what is attributed (default: mean)",
    )
    parser.add_argument("--target", help="name of a target (default: all)")
    parser.add_argument("--sequences", type=Path, help="FASTA file, or table with a column sequence")
    parser.add_argument("--num-sequences", type=positive, default=100, help="at most (default: 100)")
    parser.add_argument("--num-references", type=positive, default=20, help="of expected gradients (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the references (default: 0)")
    parser.add_argument("--logos", type=int, default=3, help="sequences that are drawn (default: 3)")
    parser.add_argument("-o", "--output", type=Path, help="folder (default: attribution/... in the study's folder)")
    parser.set_defaults(action=attribute)


def attribute(options: argparse.Namespace) -> int:
    """Write the maps that the options ask for; prints where they are as a line of JSON.

    Raises:
        DeguError: When study or sequences cannot be used.
    """
    study = open_study(options)
    if options.target is not None and options.target not in study.names:
        raise ConfigError(
            f"There is no target {options.target!r}.{nearest(options.target, study.names)} "
            f"There are: {', '.join(study.names)}"
        )
    home = options.output or study.folder / "attribution" / f"{options.model}_{options.method}_{options.column}"
    networks = study.ensembler.load_members() if options.model == "ensemble" else []
    targets = study.names if options.target is None else (options.target,)
    for target, sequences in _sequences(options, study, targets):
        outputs = _outputs(options, study, networks, study.names.index(target))
        _write(options, home / _word(target), target, sequences, outputs)
    sys.stdout.write(json.dumps({"output": str(home), "targets": list(targets)}) + "\n")
    return 0


def _word(name: str) -> str:
    """Return a name as part of a file name."""
    return re.sub(r"[^\w-]", "_", name)


def _sequences(
    options: argparse.Namespace, study: TrainedStudy, targets: tuple[str, ...]
) -> Iterator[tuple[str, NamedSequences]]:
    """Yield targets with the sequences to be explained."""
    from degu.config import build
    from degu.evaluation.explanations import most_active
    from degu.verbs.sequences import NamedSequences, read_sequences

    if options.sequences is not None:
        ids, tokens = read_sequences(options.sequences, study.length)
        named = NamedSequences(ids[: options.num_sequences], tokens[: options.num_sequences])
        yield from ((target, named) for target in targets)
        return
    test = build(study.config.data).test
    for target in targets:
        rows = most_active(test.targets[:, study.names.index(target)], options.num_sequences)
        yield target, NamedSequences(["_".join(name.split()) for name in test.ids[rows].tolist()], test.tokens[rows])


def _outputs(options: argparse.Namespace, study: TrainedStudy, networks: list, target: int) -> list[Output]:
    """Return what is attributed: the members one by one where their mean is asked for, otherwise one output."""
    from degu.attribution import ensemble_output, network_output, student_output
    from degu.uncertainty import Spread, std

    if options.model == "student":
        return [student_output(study.student, study.distiller.columns, options.column, target)]
    if options.column == "mean":
        return [network_output(network, target=target) for network in networks]
    spread = study.ensembler.uncertainty_fun
    return [ensemble_output(networks, options.column, target, spread=spread if isinstance(spread, Spread) else std)]


def _write(
    options: argparse.Namespace, folder: Path, target: str, sequences: NamedSequences, outputs: list[Output]
) -> None:
    """Write the maps, contributions and logos of one target."""
    import numpy as np

    from degu.attribution import dinucleotide_references, of_sequence, write_contributions, write_maps
    from degu.progress import Progress

    ids, tokens = sequences
    references = None
    if options.method == "expected_gradients":
        references = dinucleotide_references(tokens, options.num_references, options.seed)
    maps = []
    with Progress(f"{options.method} of {target}", len(outputs), "model") as progress:
        for count, output in enumerate(outputs, start=1):
            maps.append(_maps(options.method, output, tokens, references))
            progress.reach(count)
    mean = np.mean(maps, axis=0)
    write_maps(folder, tokens, mean, ids)
    if references is not None:
        references.save(folder / "references.npz")
    contributions = of_sequence(maps, tokens).sum(axis=-1)
    spread = contributions.std(axis=0, ddof=1) if len(maps) > 1 else None
    write_contributions(folder / "contributions.tsv", tokens, mean, ids, spread)
    for row in range(min(options.logos, len(ids))):
        rows = {
            f"{options.column} of {target}, {options.model}": of_sequence(mean[row : row + 1], tokens[row : row + 1])[0]
        }
        _draw(
            folder / f"logo_{_word(target)}_{row}.png",
            ids[row],
            rows,
            None if spread is None else {"sd over members": spread[row]},
        )


def _maps(method: str, output: Output, tokens: NDArray, references: References | None) -> NDArray:
    """Return maps with a value for every letter."""
    from degu.attribution import expected_gradients, gradient_correction, integrated_gradients, mutagenesis, saliency

    if method == "mutagenesis":
        return gradient_correction(mutagenesis(output, tokens))
    if method == "integrated_gradients":
        return integrated_gradients(output, tokens, hypothetical=True)
    if references is not None:
        return expected_gradients(output, tokens, references, hypothetical=True)
    return gradient_correction(saliency(output, tokens))


def _draw(path: Path, name: str, rows: dict[str, NDArray], spread: dict[str, NDArray] | None) -> None:
    from degu.attribution import logo_figure

    logo_figure(rows, spread, title=name).savefig(path)
