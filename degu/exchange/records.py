"""The run tree of a study as files that need no MLflow: one JSON file a run, and all measurements in one table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from degu.errors import DataError
from degu.tracking.trees import STATUSES, Point, RunRecord

RUNS = "runs"
"""Folder of an exported study."""

METRICS = "metrics.csv"
_COLUMNS = ("run", "metric", "step", "time_ms", "value")
_LONGEST_TEXT = 8000


def write_records(folder: Path, records: Sequence[RunRecord]) -> None:
    """Write runs into the folder `runs` of a study: `<run>.json` and `metrics.csv`."""
    home = folder / RUNS
    home.mkdir(parents=True, exist_ok=True)
    for index, record in enumerate(records):
        facts = {**record._asdict(), "kind": "study" if index == 0 else "network"}
        del facts["points"]
        path = home / f"{'study' if index == 0 else record.name}.json"
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    with (home / METRICS).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for index, record in enumerate(records):
            name = "study" if index == 0 else record.name
            table.writerows([name, p.name, p.step, p.time, repr(p.value)] for p in record.points)


def read_records(folder: Path) -> list[RunRecord]:
    """Read the runs of an exported study, which others have written.

    Returns:
        The study first, then its members and student by name.

    Raises:
        DataError: When something is missing or not of the kind that it should be; the message names file and line.
    """
    home = folder / RUNS
    if not (home / "study.json").is_file():
        raise DataError(
            f"{home / 'study.json'}: expected the folder of an exported study, received none. `degu runs export` makes "
            "one of a study."
        )
    others = sorted(path for path in home.glob("*.json") if path.name != "study.json")
    points: dict[str, list[Point]] = {}
    for run, point in _points(home / METRICS):
        points.setdefault(run, []).append(point)
    paths = [home / "study.json", *others]
    unknown = set(points) - {path.stem for path in paths}
    if unknown:
        raise DataError(
            f"{home / METRICS}: expected measurements of runs in {home}, received some of {min(unknown)!r}."
        )
    return [_record(path, points.get(path.stem, [])) for path in paths]


def _record(path: Path, points: list[Point]) -> RunRecord:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        record = RunRecord(
            _text(facts["name"]),
            _text(facts["run_id"]),
            _text(facts["status"]),
            int(facts["started"]),
            None if facts["ended"] is None else int(facts["ended"]),
            _texts(facts["params"]),
            _texts(facts["tags"]),
            points,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: expected a run of an exported study, received: {error!r}.") from error
    own = [key for key in record.tags if key.startswith("mlflow.")]
    if own or record.status not in STATUSES:
        raise DataError(f"{path}: expected tags and a status of a study's run, received {own or record.status!r}.")
    return record


def _points(path: Path) -> Iterator[tuple[str, Point]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            if tuple(next(table, ())) != _COLUMNS:
                raise DataError(f"{path}, line 1: expected the columns {', '.join(_COLUMNS)}.")
            for row in table:
                try:
                    run, name, step, time, value = row
                    yield run, Point(_text(name), float(value), int(step), int(time))
                except ValueError as error:
                    raise DataError(
                        f"{path}, line {table.line_num}: expected a measurement, received {row}."
                    ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a table of measurements, received: {error}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(f"expected a text of at most {_LONGEST_TEXT} characters, received {str(value)[:40]!r}")
    return value


def _texts(values: Mapping[Any, Any]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in values.items()}
