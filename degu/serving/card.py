"""The model card of a student: what it takes and gives, what it was trained on, how good it is, where it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from degu import __version__
from degu.inference import CALIBRATION
from degu.serving.student import StudentFacts

_MEANING = {
    "mean": "predicted activity",
    "epistemic": "standard deviation over the members of an ensemble, as the student has learnt it",
    "aleatoric": "standard deviation of the measurement noise, as the student has learnt it",
    "lower": "lower end of the interval",
    "upper": "upper end of the interval",
    "out_of_range": "true where the student is less sure than of 99 % of the validation sequences",
}
_LIMITS = (
    "It predicts what the assay of its training data measures, in the cells and under the conditions of that assay.",
    "Sequences must have the length and the flanks of the training sequences.",
    "Intervals hold their level for sequences like those of the calibration rows, on average over them; not for a "
    "single sequence, nor for sequences of another kind. Look at out_of_range.",
    "The epistemic column is one network's estimate of an ensemble's disagreement. It is no error of measurement.",
)


def model_card(facts: StudentFacts, results: Mapping[str, Any], study: Path, columns: Sequence[str]) -> dict[str, Any]:
    """Return the card as plain values.

    Args:
        facts: What the student's columns mean.
        results: Content of the study's `results.json`.
        study: Folder of the study.
        columns: Names of the columns that the student predicts.
    """
    provenance = _json(study / "provenance.json")
    metrics = {
        name: value
        for name, value in results["metrics"].items()
        if name.startswith("test/") and "/student/" in name and "/attribution/" not in name
    }
    calibrated = _json(study / CALIBRATION).get("calibrated_on")
    data = {name: results["data"][name] for name in ("source", "digest") if name in results["data"]}
    rows = {name: value for name, value in results["data"].items() if name.endswith("_rows")}
    return {
        "model": f"student of an ensemble of {results['members']} networks",
        "made_with": {"degu": __version__, **{key: provenance[key] for key in _MADE if key in provenance}},
        "input": {
            "sequence": f"DNA string of {facts.length} letters A, C, G, T; N where a base is unknown",
            "length": facts.length,
        },
        "output": [{"column": name, **_column(name, facts)} for name in columns],
        "intervals": {
            "confidence_level": "0.9 unless another is asked for",
            "calibrated_on": calibrated or "nothing: intervals are those of a normal distribution and too narrow",
        },
        "training_data": {**data, **rows},
        "test_metrics": metrics,
        "limits": list(_LIMITS),
    }


_MADE = ("git.commit", "git.dirty", "version.tensorflow", "version.keras", "backend", "device", "seed", "started")


def _column(name: str, facts: StudentFacts) -> dict[str, str]:
    target, kind = next((target, kind) for target in facts.targets for kind in _MEANING if name == f"{target}_{kind}")
    unit = "true or false" if kind == "out_of_range" else "that of the target in the training data"
    return {"target": target, "meaning": _MEANING[kind], "unit": unit}


def card_text(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    lines = [f"# Model card: {card['model']}", "", "## Input", ""]
    lines += [f"`sequence`: {card['input']['sequence']}.", "", "## Output", ""]
    lines += ["| column | target | meaning | unit |", "| --- | --- | --- | --- |"]
    lines += [f"| `{c['column']}` | {c['target']} | {c['meaning']} | {c['unit']} |" for c in card["output"]]
    for title in ("intervals", "training_data", "made_with"):
        lines += ["", f"## {title.replace('_', ' ').capitalize()}", ""]
        lines += [f"- {name.replace('_', ' ')}: {_plain(value)}" for name, value in card[title].items()]
    lines += ["", "## Metrics on the test split", "", "| metric | value |", "| --- | --- |"]
    lines += [f"| `{name}` | {value:.4g} |" for name, value in card["test_metrics"].items()]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in card["limits"])]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {inner}" for key, inner in value.items()) if isinstance(value, Mapping) else str(value)


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
