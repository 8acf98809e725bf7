"""Writes a study as a plain folder that is readable without degu."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from degu.errors import DataError, TrackingError
from degu.exchange.archives import archive_stem, pack, plain_files
from degu.exchange.records import RUNS, write_records
from degu.stored import plain_config
from degu.tracking.fetching import LARGE, Located, located_study
from degu.tracking.protocol import KIND_TAG, OBJECTIVE_TAG
from degu.tracking.trees import Point, RunRecord, read_tree
from degu.tracking.values import accepted_names, family, flatten

_NOT_EXPORTED = ("study.json", "degu.log", "checkpoints", RUNS)
README = """\
# {name}: a study of degu

An ensemble of {members} networks and the student that it was distilled into, trained on {data}.
{links}
| what | where |
| --- | --- |
| config, every value in place | `config.yaml` |
| {metrics} metrics, `<split>/<family>/<metric>/<model>/<target>` | `results.json`; a table in `comparison.txt` |
| report with figures | `report.html`, `figures/` |
| weights, Keras HDF5 (`.weights.h5`); HDF5 of plain arrays by layer | `weights/` |
| predictions of the members, NumPy arrays (members, sequences, outputs) | `predictions/` |
| test split with its predictions, NumPy | `evaluation/test.npz` |
| losses by epoch | `histories/` |
| commit, versions, device, digest of the data | `provenance.json` |
| digests of all of this, and of the rows of the data | `manifest.json`, `evaluation/rows.npz` |
| the runs as they were tracked: parameters, tags, times, every measurement | `runs/` |

All of it is text, JSON, CSV, HDF5 or NumPy without pickled objects. The data are not here. With degu:

    degu reproduce FOLDER --check      is it untouched? are the metrics those of the weights?
    degu reproduce FOLDER              train it again and compare
    degu runs import FOLDER            into a tracking store
    degu predict FOLDER SEQUENCES      predict with it
"""


def export_study(study: str, target: Path, uri: str | None = None, root: str | Path = "mlruns") -> Path:
    """Write a study as a plain folder or an archive.

    Args:
        study: Its output folder, or its run id. The runs of a folder are read from the store that it was tracked in
            where that can be reached, and made from its files otherwise.
        target: A new folder, or an archive, `.tar.gz`, `.tgz`, `.tar` or `.zip`.
        uri: Tracking URI of the runs; `None` for the one that the folder names, or the local store.
        root: Folder of the local store.

    Returns:
        What was written.

    Raises:
        DeguError: When there is no such study, or the target exists.
    """
    if target.exists():
        raise DataError(f"{target}: expected a new folder or archive to write, received one that exists.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".degu-export-") as place:
        home = Path(place) / "study"
        home.mkdir()
        with located_study(study, uri, root, LARGE) as found:
            records = _copy(found, home, uri, root)
        write_records(home, records)
        _write_readme(home, records[0])
        if archive_stem(target):
            return pack(home, target)
        home.chmod(0o755 & ~_umask())
        return home.rename(target)


def _copy(found: Located, home: Path, uri: str | None, root: str | Path) -> list[RunRecord]:
    folder = found.folder
    if not (folder / "results.json").is_file():
        raise DataError(f"{folder}: expected the folder of a finished study, with results.json, received none.")
    for path in plain_files(folder):
        place = path.relative_to(folder)
        if place.parts[0] not in _NOT_EXPORTED:
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, home / place)
    if found.run_id:
        return read_tree(found.run_id, uri, root)
    state = _json(folder / "study.json")
    run_id = state.get("runs", {}).get("study")
    if run_id:
        try:
            return read_tree(run_id, uri or state.get("tracker") or None, root)
        except TrackingError:
            pass
    return _from_files(folder)


def _from_files(folder: Path) -> list[RunRecord]:
    """Return the runs of a study that was not tracked, as far as its files know them."""
    results, provenance = _json(folder / "results.json"), _json(folder / "provenance.json")
    config = plain_config(folder)
    name = str(config.get("name", folder.name))
    time = int((folder / "results.json").stat().st_mtime * 1000)
    tags = {KIND_TAG: "study", OBJECTIVE_TAG: str(config["objective"]["metric"]), **provenance}
    values = accepted_names(results["metrics"])
    values |= {f"seconds/{stage}": value for stage, value in _json(folder / "timings.json").items()}
    points = [Point(key, float(value), 0, time) for key, value in values.items()]
    params = accepted_names(flatten(config))
    records = [RunRecord(name, "", "FINISHED", time, time, params, tags, points)]
    for path in sorted((folder / "histories").glob("*.json")):
        points = [
            Point(family(key), float(value), epoch, time)
            for key, series in _json(path).items()
            for epoch, value in enumerate(series)
        ]
        kind = {KIND_TAG: path.stem.partition("-")[0]}
        records.append(RunRecord(path.stem, "", "FINISHED", time, time, {}, kind, points))
    return records


def _write_readme(home: Path, study: RunRecord) -> None:
    results = _json(home / "results.json")
    objective = results.get("objective", {})
    links = f"{objective.get('metric')} = {objective.get('value')}\n" if objective else ""
    text = README.format(
        name=study.name,
        members=results.get("members"),
        data=study.tags.get("data.name", "data of its own"),
        metrics=len(results.get("metrics", {})),
        links=f"\n{links}" if links else "",
    )
    (home / "README.md").write_text(text, encoding="utf-8")


def _json(path: Path) -> Mapping[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
