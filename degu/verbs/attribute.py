"""The command `degu attribute`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degu.errors import ConfigError, DataError, nearest
from degu.verbs.options import add_study_options, open_study, positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from degu.attribution import Output, References
    from degu.data import Split
    from degu.inference.records import SequenceFile
    from degu.trained import TrainedStudy

PART = 1000
"""Sequences that are explained together, so that memory does not grow with their number."""
HELP = "say which letters of sequences a prediction, or its uncertainty, comes from"
METHODS = ("saliency", "mutagenesis", "integrated_gradients", "expected_gradients")
DESCRIPTION = """\
Attribute predictions to letters. For every target a folder gets attributions.h5, ohe.npz and shap.npz (what TF-MoDISco
and tangermeme read), sequences.fa, contributions.tsv, and logos of the first sequences. Without --sequences it takes
those of the study's test split with the highest measurement.

Maps of saliency and mutagenesis are corrected: the mean over the four letters of a position is removed. Of an
ensemble's mean the contributions come with their standard deviation over members.
"""


def _number(text: str) -> int | None:
    """Read a number of at least 1, or `all`."""
    return None if text == "all" else positive(text)


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
    parser.add_argument("--sequences", type=Path, help="FASTA file, table (.tsv, .csv, .parquet) or BED file")
    parser.add_argument("--genome", type=Path, metavar="FASTA", help="uncompressed genome that a BED file lies on")
    parser.add_argument("--sequence-column", default="sequence", help="column of a table (default: sequence)")
    parser.add_argument("--id", metavar="COLUMN", help="column of a table with names (default: place in the file)")
    parser.add_argument(
        "--num-sequences", type=_number, default=100, metavar="N|all", help="at most, or all (default: 100)"
    )
    parser.add_argument("--num-references", type=positive, default=20, help="of expected gradients (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the references (default: 0)")
    parser.add_argument("--logos", type=int, default=3, help="sequences that are drawn (default: 3)")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder (default: attribution/... in the study's folder; of a run id, here)"
    )
    parser.set_defaults(action=attribute)


def attribute(options: argparse.Namespace) -> int:
    """Write the maps that the options ask for; prints where they are as a line of JSON.

    Raises:
        DeguError: When study or sequences cannot be used.
    """
    from degu.inference.records import open_sequences

    file = None
    if options.sequences is not None:
        file = open_sequences(options.sequences, options.genome, options.sequence_column, options.id)
    with open_study(options) as (study, run_id):
        targets, home = _attribute(options, study, Path() if run_id else study.folder, file)
    sys.stdout.write(json.dumps({"output": str(home), "targets": list(targets)}) + "\n")
    return 0


def _attribute(
    options: argparse.Namespace, study: TrainedStudy, here: Path, file: SequenceFile | None
) -> tuple[tuple[str, ...], Path]:
    """Write the maps of a study; returns targets and folder."""
    if options.target is not None and options.target not in study.names:
        raise ConfigError(
            f"There is no target {options.target!r}.{nearest(options.target, study.names)} "
            f"There are: {', '.join(study.names)}"
        )
    home = options.output or here / "attribution" / f"{options.model}_{options.method}_{options.column}"
    networks = study.ensembler.load_members() if options.model == "ensemble" else []
    targets = study.names if options.target is None else (options.target,)
    for target, sequences in _sequences(options, study, targets, file):
        outputs = _outputs(options, study, networks, study.names.index(target))
        _write(options, home / _word(target), target, sequences, outputs)
    return tuple(targets), home


def _word(name: str) -> str:
    """Return a name as part of a file name."""
    return re.sub(r"[^\w-]", "_", name)


class Parts(NamedTuple):
    """Sequences to be explained, in parts of `PART`.

    Attributes:
        total: Number of sequences.
        read: Yields names, each a word, and tokens `(n, L)`.
    """

    total: int
    read: Callable[[], Iterator[tuple[list[str], NDArray]]]


def _sequences(
    options: argparse.Namespace, study: TrainedStudy, targets: tuple[str, ...], file: SequenceFile | None
) -> Iterator[tuple[str, Parts]]:
    """Yield targets with the sequences to be explained."""
    from degu.config import build
    from degu.evaluation.explanations import most_active

    if file is not None:
        parts = _of_file(file, study.length, options.num_sequences)
        yield from ((target, parts) for target in targets)
        return
    test = build(study.config.data).test
    for target in targets:
        rows = most_active(test.targets[:, study.names.index(target)], options.num_sequences or len(test))
        yield target, _of_rows(test, rows)


def _of_rows(split: Split, rows: NDArray) -> Parts:
    def read() -> Iterator[tuple[list[str], NDArray]]:
        for first in range(0, len(rows), PART):
            part = rows[first : first + PART]
            yield ["_".join(name.split()) for name in split.ids[part].tolist()], split.tokens[part]

    return Parts(len(rows), read)


def _of_file(file: SequenceFile, length: int, most: int | None) -> Parts:
    """Check a file and count its sequences."""
    from degu.inference.windows import Windows

    def read() -> Iterator[tuple[list[str], NDArray]]:
        left = most
        for rows in Windows(length).rows(file, PART):
            part = slice(None) if left is None else slice(max(left, 0))
            names = ["_".join(":".join(entry.cells).split()) for entry in rows.entries[part]]
            if names:
                yield names, rows.tokens[part]
            left = None if left is None else left - len(names)
            if left == 0:
                return

    total = sum(len(names) for names, _ in read())
    if not total:
        raise DataError(f"{file.path}: expected sequences, received none.")
    return Parts(total, read)


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


def _write(options: argparse.Namespace, folder: Path, target: str, sequences: Parts, outputs: list[Output]) -> None:
    """Write the maps, contributions and logos of one target, part by part."""
    import numpy as np

    from degu.attribution import MapsWriter, dinucleotide_references, of_sequence
    from degu.progress import Progress
    from degu.seeds import derive_seed

    drawn = 0
    with (
        MapsWriter(folder, sequences.total, contributions=True) as writer,
        Progress(f"{options.method} of {target}", sequences.total, "sequence") as progress,
    ):
        for number, (ids, tokens) in enumerate(sequences.read()):
            references = None
            if options.method == "expected_gradients":
                seed = options.seed if number == 0 else derive_seed(options.seed, "part", number)
                references = dinucleotide_references(tokens, options.num_references, seed)
                references.save(folder / (f"references_{number}.npz" if number else "references.npz"))
            maps = np.stack([_maps(options.method, output, tokens, references) for output in outputs])
            mean = maps.mean(axis=0)
            spread = of_sequence(maps, tokens).sum(axis=-1).std(axis=0, ddof=1) if len(maps) > 1 else None
            writer.append(tokens, mean, ids, spread)
            for row in range(min(options.logos - drawn, len(ids))):
                what = f"{options.column} of {target}, {options.model}"
                rows = {what: of_sequence(mean[row : row + 1], tokens[row : row + 1])[0]}
                path = folder / f"logo_{_word(target)}_{drawn}.png"
                _draw(path, ids[row], rows, None if spread is None else {"sd over members": spread[row]})
                drawn += 1
            progress.reach(writer.written)


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
