"""Members trained elsewhere: found by folder, run or weight file, checked against a study, and copied into it."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from degu.config import frozen
from degu.data import Splits
from degu.errors import EnsembleError
from degu.files import whole
from degu.tracking.fetching import fetch_weights
from degu.train.network import units_path
from degu.train.records import file_digest, read_record, record_path
from degu.train.weights import SUFFIX

log = logging.getLogger(__name__)

Facts = Mapping[str, Any]


class Found(NamedTuple):
    """A weight file of a member.

    Attributes:
        weights: The file.
        facts: What is known of its training: some of `architecture`, `targets`, `input length`, `alphabet`,
            `standardised targets` and `output columns`.
        source: Where it is from, as the user named it.
    """

    weights: Path
    facts: Facts
    source: str


def members_elsewhere(config: DictConfig, splits: Splits) -> list[Found]:
    """Return the members that a study combines instead of training its own, checked; none for another study.

    Args:
        config: The study's config.
        splits: Its data.

    Raises:
        EnsembleError: When a member is not found or does not agree with the study.
        TrackingError: When a run is not found or has no weights.
    """
    settings = frozen(config)["ensemble"]
    if not settings.get("members"):
        return []
    tracking = config.tracking
    found = find_members(settings["members"], None, tracking.get("uri"), tracking.get("root", "mlruns"))
    found = found[: settings["num_ensemble"]]
    check_members(found, expected_facts(config, splits.target_names, splits.length))
    return found


def find_members(
    sources: Sequence[str], folder: Path | None = None, uri: str | None = None, root: str | Path = "mlruns"
) -> list[Found]:
    """Find the weight files that sources name.

    Args:
        sources: Output folders of studies, weight files, or run ids of studies or members, at least 6 characters.
        folder: Where weights of runs are fetched to; None for a new temporary folder.
        uri: Tracking URI of the runs; None for the local store.
        root: Folder of the local store.

    Raises:
        EnsembleError: When a source is none of these.
        TrackingError: When a run is not found or has no weights.
    """
    found: list[Found] = []
    for place, source in enumerate(sources):
        path = Path(source).expanduser()
        if path.is_dir():
            found += _of_study(path, source)
        elif path.is_file():
            found.append(Found(path, _facts(path), source))
        elif path.suffix or "/" in source:
            raise EnsembleError(
                f"Expected a weight file or the output folder of a study at {source} (ensemble.members). Received: "
                "nothing there"
            )
        else:
            home = Path(tempfile.mkdtemp(prefix="degu-members-")) if folder is None else folder
            fetched = fetch_weights(source, home / f"{place:02d}_{source}", uri, root)
            found += [Found(weights, _facts(weights), f"run {source}") for weights in fetched]
    return found


def check_members(found: Sequence[Found], expected: Facts) -> None:
    """Check that members agree with the study that combines them, as far as it is known how they were trained.

    Raises:
        EnsembleError: When one of them differs; the message names all that differs.
    """
    differing, unknown = [], []
    for member in found:
        wrong = [
            f"{name} {member.facts[name]} instead of {value}"
            for name, value in expected.items()
            if name in member.facts and member.facts[name] != value
        ]
        if wrong:
            differing.append(f"{member.weights.name} of {member.source} has {'; '.join(wrong)}")
        missing = [name for name in expected if name not in member.facts]
        if missing:
            unknown.append(f"{member.weights} ({', '.join(missing)})")
    if differing:
        raise EnsembleError(f"Expected members that agree with the study. Received: {'. '.join(differing)}")
    if unknown:
        log.warning("Not known of members trained elsewhere, and taken to agree: %s", "; ".join(unknown))


def expected_facts(config: DictConfig, names: Sequence[str], length: int) -> dict[str, Any]:
    """Return what members of a study must agree in.

    Args:
        config: The study's config.
        names: Its target names.
        length: Letters of its sequences.
    """
    plain = frozen(config)
    return {
        "architecture": json.dumps(plain["model"], sort_keys=True),
        "targets": list(names),
        "input length": length,
        "alphabet": "ACGT",
        "standardised targets": plain["ensemble"]["standardize"],
    }


def digests(found: Sequence[Found]) -> list[str]:
    """Return the SHA-256 of every weight file, hexadecimal."""
    return [file_digest(member.weights) for member in found]


def copied(found: Sequence[Found], folder: Path) -> list[Path]:
    """Copy members into a folder as `member_0.weights.h5` ..., with what is kept beside them, and return the files."""
    paths = [folder / f"member_{number}{SUFFIX}" for number in range(len(found))]
    for member, path in zip(found, paths, strict=True):
        for beside in (units_path, record_path):
            if beside(member.weights).is_file():
                _copy(beside(member.weights), beside(path))
        _copy(member.weights, path)
    return paths


def _copy(source: Path, target: Path) -> None:
    with whole(target) as partial:
        shutil.copyfile(source, partial)


def _of_study(folder: Path, source: str) -> list[Found]:
    weights = sorted((folder / "weights").glob(f"member_*{SUFFIX}"), key=_number)
    weights = [path for path in weights if ".last_good" not in path.name]
    if not weights:
        raise EnsembleError(f"Expected members in {source}/weights (ensemble.members). Received: none")
    return [Found(path, _facts(path), source) for path in weights]


def _number(path: Path) -> tuple[int, str]:
    digits = path.name.removeprefix("member_").partition(".")[0]
    return (int(digits) if digits.isdigit() else -1, path.name)


def _facts(weights: Path) -> dict[str, Any]:
    """Return what the record beside a weight file, and the study around it, say of its training."""
    facts: dict[str, Any] = {}
    record = read_record(weights)
    if record is not None:
        facts |= {"input length": record.input_shape[0], "standardised targets": record.standardized}
        facts |= {"alphabet": "ACGT"} if record.input_shape[1:] == [4] else {}
    home = weights.parent.parent
    results, config = home / "results.json", home / "config.yaml"
    if results.is_file() and config.is_file():
        study = json.loads(results.read_text(encoding="utf-8"))
        node = OmegaConf.load(config)
        assert isinstance(node, DictConfig)
        facts |= expected_facts(node, study["targets"], study["data"]["length"])
    return facts
