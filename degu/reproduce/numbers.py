"""Numbers of two studies side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from degu.errors import DataError
from degu.manifest.finding import Finding


class Pair(NamedTuple):
    """A metric of two studies; None where one of them has no such metric."""

    name: str
    original: float | None
    again: float | None

    @property
    def difference(self) -> float:
        """Absolute difference; infinite where only one of them is there or a number, 0 where both are no number."""
        if self.original is None or self.again is None:
            return math.inf
        if math.isnan(self.original) or math.isnan(self.again):
            return 0.0 if math.isnan(self.original) and math.isnan(self.again) else math.inf
        return 0.0 if self.original == self.again else abs(self.again - self.original)


def side_by_side(original: Mapping[str, float], again: Mapping[str, float]) -> list[Pair]:
    """Return every metric that either study has, in the order of the first."""
    return [Pair(name, original.get(name), again.get(name)) for name in dict.fromkeys((*original, *again))]


def moved(pairs: Sequence[Pair], tolerance: float) -> list[Pair]:
    """Return the metrics that differ by more than a tolerance, those of the test split first."""
    differing = [pair for pair in pairs if pair.difference > tolerance]
    return sorted(differing, key=lambda pair: not pair.name.startswith("test/"))


def moved_findings(pairs: Sequence[Pair]) -> list[Finding]:
    """Return metrics that have moved as findings."""
    return [Finding("metric", pair.name, _exact(pair.original), _exact(pair.again)) for pair in pairs]


def results_of(folder: Path) -> dict[str, Any]:
    """Read the results of a finished study.

    Raises:
        DataError: When they are missing or cannot be read.
    """
    path = folder / "results.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        metrics = results["metrics"]
        if not all(isinstance(value, int | float) for value in metrics.values()):
            raise ValueError("a metric that is no number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: expected the results of a finished study, received: {error!r}.") from error
    return results


def all_numbers(results: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of a study and the limits of what its models know, flat."""
    limits = {
        f"known_range/{row}/{name}": float(value)
        for row, by_name in results.get("known_range", {}).items()
        for name, value in by_name.items()
    }
    return {**results["metrics"], **limits}


def pairs_table(pairs: Sequence[Pair], most: int = 40) -> list[list[str]]:
    """Return metrics as cells of a table with a header; those beyond `most` are counted in the last line."""
    lines = [["metric", "original", "again", "difference"]]
    for pair in pairs[:most]:
        difference = f"{pair.difference:.3g}" if math.isfinite(pair.difference) else ""
        lines.append([pair.name, _exact(pair.original), _exact(pair.again), difference])
    if len(pairs) > most:
        lines.append([f"... and {len(pairs) - most} more"])
    return lines


def write_pairs(path: Path, pairs: Sequence[Pair]) -> Path:
    """Write all metrics of two studies as a table, tab-separated, with all their digits."""
    lines = [["metric", "original", "again", "difference"]]
    lines += [[p.name, _digits(p.original), _digits(p.again), _digits(p.difference)] for p in pairs]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _digits(value: float | None) -> str:
    return "" if value is None else repr(value)


def _exact(value: float | None) -> str:
    return "absent" if value is None else f"{value:.10g}"
