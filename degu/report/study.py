"""What a study left in its folder, read for a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from degu.errors import DataError
from degu.report.arrays import HeldOut, read_test_arrays

ROWS = ("single_mean", "ensemble", "student")


@dataclass(frozen=True)
class Study:
    """A study's files. What is missing is empty: a report says so and goes on.

    Attributes:
        folder: Where they are.
        results: `results.json`.
        provenance: `provenance.json`.
        timings: Seconds by stage.
        histories: By network (`member-00`, ..., `student`), each measure by epoch.
        config: The resolved config.
        config_text: The same, as it is written.
        curves: `evaluation/curves.json`.
        arrays: The test split and its predictions, or None.
    """

    folder: Path
    results: Mapping[str, Any]
    provenance: Mapping[str, str]
    timings: Mapping[str, float]
    histories: Mapping[str, Mapping[str, list[float]]]
    config: Mapping[str, Any]
    config_text: str
    curves: Mapping[str, Any]
    arrays: HeldOut | None

    @property
    def metrics(self) -> Mapping[str, float]:
        """The flat metrics."""
        return self.results["metrics"]

    @property
    def num_members(self) -> int:
        """Members of the ensemble."""
        return int(self.results["members"])

    @property
    def name(self) -> str:
        """The study's name in its config, or that of its folder."""
        return str(self.config.get("name") or self.folder.name)

    @cached_property
    def family(self) -> str:
        """The metric family of the activity, such as `regression`."""
        return next((parts[1] for parts in self._parts if parts[0] == "test" and parts[3] == "single_mean"), "")

    @cached_property
    def shown_metrics(self) -> tuple[str, ...]:
        """The activity's metrics in the order of `results.json`."""
        return tuple(dict.fromkeys(parts[2] for parts in self._activity))

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The target names."""
        if self.arrays is not None:
            return self.arrays.names
        return tuple(name for name in dict.fromkeys(parts[4] for parts in self._activity) if name != "mean")

    @property
    def headline(self) -> str:
        """The metric that a study is summarised by."""
        asked = (self.config.get("evaluation") or {}).get("headline")
        for metric in (asked, "pearson_r", "auroc"):
            if metric in self.shown_metrics:
                return str(metric)
        return self.shown_metrics[0] if self.shown_metrics else ""

    @property
    def _parts(self) -> list[list[str]]:
        """The keys of all metrics in their five parts; a target's name may hold slashes."""
        return [parts for key in self.metrics if len(parts := key.split("/", 4)) == 5]

    @property
    def _activity(self) -> list[list[str]]:
        return [parts for parts in self._parts if parts[:2] == ["test", self.family] and parts[3] == "single_mean"]


def read_study(folder: Path) -> Study:
    """Read a study's folder.

    Raises:
        DataError: When there is no `results.json`, or a file cannot be read.
    """
    path = folder / "results.json"
    if not path.is_file():
        raise DataError(
            f"Expected the folder of a finished study with results.json. Received: {str(folder)!r}. "
            "`degu run` names the folder in its last line"
        )
    text = folder / "config.yaml"
    config_text = text.read_text(encoding="utf-8") if text.is_file() else ""
    return Study(
        folder=folder,
        results=_json(path, ("metrics", "members")),
        provenance=_json(folder / "provenance.json"),
        timings=_json(folder / "timings.json"),
        histories={file.stem: _json(file) for file in sorted((folder / "histories").glob("*.json"))},
        config=yaml.safe_load(config_text) or {},
        config_text=config_text,
        curves=_json(folder / "evaluation" / "curves.json"),
        arrays=read_test_arrays(folder),
    )


def _json(path: Path, needed: tuple[str, ...] = ()) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, received {error}") from error
    missing = [key for key in needed if key not in content]
    if missing:
        raise DataError(f"{path}: expected {', '.join(needed)}, received no {', '.join(missing)}")
    return content
