"""Runs a study again from its frozen config and compares the numbers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf.errors import OmegaConfBaseException

from degu import __version__
from degu.config import check_targets
from degu.errors import ConfigError
from degu.manifest.finding import Finding
from degu.pipeline import run
from degu.recording import write_json
from degu.report.table import aligned
from degu.reproduce.numbers import Pair, all_numbers, moved, pairs_table, results_of, side_by_side, write_pairs
from degu.stored import CONFIG, first_line, moved_places, stored_config, trusted
from degu.tracking import Tracker

log = logging.getLogger(__name__)

REPRODUCES_TAG = "degu.reproduces"
"""Tag of a study that is another one's repetition: the run that it repeats, or the name of its folder."""

OUTCOME_TAG = "degu.reproduced"
"""Tag of the same study: `true` where no metric has moved."""

RECORD = "reproduction"
"""Folder of the comparison in the new study's folder, and among the artifacts of its run."""

_OWN = ("started", "command", "data.source", "data.name", "platform.cpus")
"""Facts that two runs need not share."""


class Reproduction(NamedTuple):
    """A study and its repetition.

    Attributes:
        run_id: Run of the repetition with the tracker; empty when nothing is tracked.
        output_dir: Its folder.
        circumstances: What differs: code, versions, machine, data.
        pairs: Every metric of the two.
        moved: Those that differ by more than the tolerance, of the test split first.
        identical: Whether the two `results.json` are equal byte for byte.
    """

    run_id: str
    output_dir: Path
    circumstances: list[Finding]
    pairs: list[Pair]
    moved: list[Pair]
    identical: bool


def reproduce_study(
    folder: Path,
    tracker: Tracker,
    output_dir: Path,
    original: str,
    tolerance: float = 0.0,
    device: str | None = None,
    allowed: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
) -> Reproduction:
    """Run a study again and compare its numbers with those of the original.

    Args:
        folder: The original's folder: `config.yaml`, `results.json` and `provenance.json` are read.
        tracker: Root tracker that records the repetition; the one that the config names is not used.
        output_dir: New folder of the repetition.
        original: Run or folder of the original, for the record.
        tolerance: Largest difference of a metric that counts as none. 0 asks for equal bits, which one config gives on
            one kind of CPU with the same code and libraries.
        device: What to compute on; None for what the study asked for.
        allowed: Packages beside those of degu whose code the config may name.
        places: Files of the config that lie elsewhere now, by their leaf.

    Returns:
        The comparison, which is recorded with the repetition too.

    Raises:
        DeguError: When the original cannot be read, or the study cannot be run.
    """
    before = results_of(folder)
    config = moved_places(stored_config(folder, allowed), places or {})
    check_targets(config, trusted(allowed))
    if device is not None:
        config.device.device = device
    try:
        result = run(config, tracker, output_dir, ["degu", "reproduce", original])
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"{folder / CONFIG}: expected the config of a study of degu {__version__}, received one of another "
            f"version: {first_line(error)}. Use the degu of its provenance.json"
        ) from error
    after = results_of(output_dir)
    pairs = side_by_side(all_numbers(before), all_numbers(after))
    differing = _circumstances(_provenance(folder), _provenance(output_dir)) + _data(before, after)
    same = (folder / "results.json").read_bytes() == (output_dir / "results.json").read_bytes()
    found = Reproduction(result.run_id, output_dir, differing, pairs, moved(pairs, tolerance), same)
    _record(found, tracker, original, tolerance)
    return found


def _record(found: Reproduction, tracker: Tracker, original: str, tolerance: float) -> None:
    """Write the comparison down, in the folder and in the run of the repetition."""
    folder = found.output_dir / RECORD
    folder.mkdir(exist_ok=True)
    write_pairs(folder / "metrics.tsv", found.pairs)
    (folder / "moved.txt").write_text("\n".join(aligned(pairs_table(found.moved))) + "\n", encoding="utf-8")
    outcome = "false" if found.moved else "true"
    write_json(
        folder / "comparison.json",
        {
            "original": original,
            "tolerance": tolerance,
            "metrics": len(found.pairs),
            "moved": len(found.moved),
            "results_identical": found.identical,
            "circumstances": [finding._asdict() for finding in found.circumstances],
        },
    )
    if not found.run_id:
        return
    with tracker.attach(found.run_id) as study:
        study.tags({REPRODUCES_TAG: original, OUTCOME_TAG: outcome})
        study.artifact(folder)


def _circumstances(before: Mapping[str, str], after: Mapping[str, str]) -> list[Finding]:
    names = [name for name in dict.fromkeys((*before, *after)) if name not in _OWN]
    return [
        Finding("circumstance", name, before.get(name, "unknown"), after.get(name, "unknown"))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _data(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Finding]:
    """Return in what the data differ that the provenance does not say."""
    found = []
    for name in ("seed", "targets", "members"):
        if before.get(name) != after.get(name):
            found.append(Finding("study", name, json.dumps(before.get(name)), json.dumps(after.get(name))))
    return found


def _provenance(folder: Path) -> dict[str, str]:
    path = folder / "provenance.json"
    if not path.is_file():
        log.warning("%s is missing: what has changed since is not known", path)
        return {}
    return json.loads(path.read_text(encoding="utf-8"))
