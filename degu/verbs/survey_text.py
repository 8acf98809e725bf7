"""A survey of a data set as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from degu.data.survey import Survey

_STATISTICS = ("measured", "missing", "mean", "std", "min", "p5", "median", "p95", "max")


def survey_text(survey: Survey) -> str:
    """Write facts, then findings.

    Args:
        survey: What was found.

    Returns:
        Lines of text.
    """
    return "\n".join([*_facts(survey.facts), "", *_findings(survey)])


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    if "file" in facts:
        yield f"file        {facts['file']}"
        yield f"rows        {facts['all rows']}, of which {facts.get('rows', 0)} can be used"
    else:
        yield f"rows        {facts['rows']}"
    lengths = facts.get("lengths", {facts.get("length"): facts.get("rows")})
    shown = [f"{length} ({count} rows)" for length, count in list(lengths.items())[:6]]
    yield f"letters     {', '.join(shown)}{', ...' if len(lengths) > 6 else ''}"
    if "splits" not in facts:
        return
    yield f"splits      {', '.join(f'{count} {name}' for name, count in facts['splits'].items())}"
    sequences = facts["sequences"]
    gc = ", ".join(f"{name} {value:.3f}" for name, value in sequences["gc by split"].items())
    yield f"GC          {sequences['gc']:.3f} ({gc})"
    letters = sequences["letters"]
    yield f"alphabet    {', '.join(f'{letter} {count}' for letter, count in letters.items())}"
    yield f"repeated    {', '.join(f'{count} in {name}' for name, count in sequences['repeated rows'].items())}"
    if "across splits" in facts:
        yield from _across(facts["across splits"])
    yield ""
    yield from _targets(facts["targets"])
    yield from _replicates(facts.get("replicates", {}))


def _across(across: Mapping[str, Any]) -> Iterator[str]:
    for leak in across["leaks"]:
        yield f"leak        {leak['second']} in {leak['first']}: {leak['same']} the same, {leak['reverse']} reversed"
    shares = ", ".join(f"{pair} {count}" for pair, count in across["sharing a stretch"].items()) or "none"
    yield f"share {across['shared stretch']:>3} letters: {shares}"


def _targets(targets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not targets:
        return
    width = max(map(len, targets))
    yield f"{'target':<{max(width, 6)}} " + " ".join(f"{name:>10}" for name in _STATISTICS)
    for name, facts in targets.items():
        cells = [f"{_short(facts[key]):>10}" if key in facts else " " * 10 for key in _STATISTICS]
        yield f"{name:<{max(width, 6)}} " + " ".join(cells)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _replicates(replicates: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, facts in replicates.items():
        yield ""
        pairs = facts.get("pairwise pearson r")
        if pairs:
            yield f"replicates of {name}: pairwise Pearson r {', '.join(f'{value:.3f}' for value in pairs)}"
        ceiling = facts.get("noise ceiling")
        if ceiling:
            count = ceiling["replicates"]
            known = f"{count} replicates" if count else "an unknown number of replicates, taken as one"
            yield (
                f"noise ceiling of {name}: Pearson r {ceiling['pearson_r']:.3f}, MSE {ceiling['mse']:.4g} ({known}); "
                "no model can do better on average"
            )


def _findings(survey: Survey) -> Iterator[str]:
    for finding in survey.findings:
        yield f"{finding.kind.upper() if finding.kind == 'problem' else finding.kind}: {finding.text}"
    count = survey.problems
    yield f"{count} problem(s), {len(survey.findings) - count} note(s)"
