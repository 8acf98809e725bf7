"""Several studies side by side: what differs in their settings, and their metrics over seeds."""

from __future__ import annotations

import csv
import fnmatch
import io
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from degu.errors import ConfigError, DataError, nearest
from degu.metrics.over_seeds import Estimate, over_seeds, paired_difference
from degu.report.study import Study, read_study

SETTINGS_OF_NO_CONCERN = (
    *("seed", "name", "device", "tracking", "hydra", "executor", "launcher", "sweeper", "resume"),
    "ensemble.members",
)
"""Settings, alone or with all below, that are expected to leave the numbers of a study as they are, and the seed."""

PAIRS = (
    ("ensemble", "single_mean"),
    ("student", "single_mean"),
    ("student", "ensemble"),
    ("student", "single_left_out"),
)
"""Models of one study whose difference is estimated."""

DEFAULT = "default"
"""Stands for a setting that the command of a study did not have."""

COLUMNS = ("metric", "target", "model", "minus", "against", "studies", "mean", "sd", "low", "high", "p_value")


class Setting(NamedTuple):
    """Studies that differ in their seed alone.

    Attributes:
        values: The settings in which the compared studies differ, in the order of `Compared.names`.
        metrics: By seed, the flat metrics of the study.
    """

    values: tuple[str, ...]
    metrics: Mapping[int, Mapping[str, float]]


class Compared(NamedTuple):
    """Studies by their settings.

    Attributes:
        names: The settings that differ, such as `data` or `ensemble.num_ensemble`.
        settings: The settings in the order of the folders.
    """

    names: tuple[str, ...]
    settings: tuple[Setting, ...]


class Line(NamedTuple):
    """One line of the results: a metric of one model, or of one model minus another.

    Attributes:
        setting: Values of the settings that differ.
        metric: `<split>/<family>/<metric>`, or `<split>/shift/<set>/<metric>`.
        target: A target, or `mean` over the targets.
        model: `single_mean`, `ensemble`, `student` or another row of the metrics.
        minus: The model whose metric is subtracted; empty for none.
        against: The setting whose metric is subtracted, as text; empty for none.
        estimate: Over the seeds.
    """

    setting: tuple[str, ...]
    metric: str
    target: str
    model: str
    minus: str
    against: str
    estimate: Estimate


def find_studies(place: Path) -> list[Study]:
    """Read all finished studies in and below a folder.

    Raises:
        DataError: When it holds none.
    """
    found = sorted(path.parent for path in place.rglob("results.json")) if place.is_dir() else []
    if not found:
        raise DataError(
            f"{place}: expected the output folder of a study or a sweep, received a folder without a finished "
            "study (no results.json in it or below)."
        )
    return [read_study(folder) for folder in found]


def side_by_side(studies: Sequence[Study]) -> Compared:
    """Sort studies by the settings in which their commands differ.

    Raises:
        DataError: When two studies have the same settings and the same seed.
    """
    commands = [_overrides(study) for study in studies]
    keys = dict.fromkeys(key for command in commands for key in command)
    settings = [[_value(study, command, key) for key in keys] for study, command in zip(studies, commands, strict=True)]
    shown = [index for index in range(len(keys)) if len({values[index] for values in settings}) > 1]
    folders: dict[tuple[tuple[str, ...], int], Path] = {}
    metrics: dict[tuple[str, ...], dict[int, Mapping[str, float]]] = {}
    for study, values in zip(studies, settings, strict=True):
        own, seed = tuple(values[index] for index in shown), int(study.results["seed"])
        if (own, seed) in folders:
            raise DataError(
                f"{study.folder}: expected studies that differ in their settings or their seed, received the settings "
                f"and the seed ({seed}) of {folders[own, seed]}. Name only one of the two."
            )
        folders[own, seed] = study.folder
        metrics.setdefault(own, {})[seed] = study.metrics
    names = tuple(key for index, key in enumerate(keys) if index in shown)
    return Compared(names, tuple(Setting(values, by_seed) for values, by_seed in metrics.items()))


def lines_of(compared: Compared, patterns: Sequence[str], against: Mapping[str, str] | None = None) -> list[Line]:
    """Return the metrics over seeds, and their differences.

    Args:
        compared: The studies.
        patterns: Which metrics, `<split>/<family>/<metric>` or `<split>/shift/<set>/<metric>`, with `*` and `?`.
        against: Settings by name. Each setting is also compared with the one that has these values and its own
            otherwise.

    Raises:
        ConfigError: When no metric matches, or there is no such setting.
    """
    everything = dict.fromkeys(key for setting in compared.settings for run in setting.metrics.values() for key in run)
    parts = [found for key in everything if (found := _parts(key))]
    chosen = [found for found in parts if any(fnmatch.fnmatchcase(found.metric, pattern) for pattern in patterns)]
    if not chosen:
        known = dict.fromkeys(found.metric for found in parts)
        raise ConfigError(f"No metric matches {', '.join(patterns)}.{nearest(patterns[0], known)}")
    lines = []
    for setting in compared.settings:
        other = None if against is None else _reference(compared, setting, against)
        for key in chosen:
            lines += _of_metric(setting, key, chosen, other, "" if other is None else _text(compared.names, other))
    return lines


def as_csv(names: Sequence[str], lines: Sequence[Line]) -> str:
    """Return lines as CSV with a header; a value that is not defined is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*names, *COLUMNS])
    for line in lines:
        count, *numbers = line.estimate
        cells = ["" if value is None or value != value else f"{value:.6g}" for value in numbers]
        writer.writerow([*line.setting, *line[1:-1], count, *cells])
    return buffer.getvalue()


def _overrides(study: Study) -> dict[str, str]:
    """Return the settings of the command that a study was made by."""
    found = {}
    for word in shlex.split(study.provenance.get("command", "")):
        key, is_setting, value = word.lstrip("+~").partition("=")
        if is_setting and not key.startswith("-") and not {key, key.split(".")[0]} & set(SETTINGS_OF_NO_CONCERN):
            found[key] = _spelt(value)
    return found


def _spelt(value: str) -> str:
    """Return a value as YAML spells it, whoever wrote it."""
    return {"True": "true", "False": "false", "None": "null"}.get(value, value)


def _value(study: Study, command: Mapping[str, str], key: str) -> str:
    """Return a setting of a study, from its config where its command does not say."""
    if key in command:
        return command[key]
    node: Any = study.config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return DEFAULT if node is None or isinstance(node, Mapping) else _spelt(str(node))


class _Parts(NamedTuple):
    """The parts of a flat metric: `test/regression/mse/student/Dev`, or `test/shift/shuffled/mse/student/Dev`."""

    metric: str
    model: str
    target: str

    @property
    def flat(self) -> str:
        return "/".join(self)


def _parts(key: str) -> _Parts | None:
    """Return the parts of a flat metric; None for one that is no metric of a model."""
    parts = key.split("/", 5 if key.split("/", 2)[1:2] == ["shift"] else 4)
    if len(parts) < 5 or "_minus_" in parts[-2] or parts[-2].endswith("_sd"):
        return None
    return _Parts("/".join(parts[:-2]), *parts[-2:])


def _of_metric(
    setting: Setting, key: _Parts, chosen: Sequence[_Parts], other: Setting | None, against: str
) -> list[Line]:
    """Return the lines of one metric, model and target."""
    metric, model, target = key
    values = _by_seed(setting, key)
    if not values:
        return []
    lines = [Line(setting.values, metric, target, model, "", "", over_seeds(list(values.values())))]
    for minus in (second for first, second in PAIRS if first == model):
        paired = key._replace(model=minus)
        if paired in chosen and (found := paired_difference(values, _by_seed(setting, paired))):
            lines.append(Line(setting.values, metric, target, model, minus, "", found))
    if other is not None and other is not setting and (found := paired_difference(values, _by_seed(other, key))):
        lines.append(Line(setting.values, metric, target, model, "", against, found))
    return lines


def _by_seed(setting: Setting, key: _Parts) -> dict[int, float]:
    found = {seed: metrics[key.flat] for seed, metrics in setting.metrics.items() if key.flat in metrics}
    return {seed: value for seed, value in found.items() if abs(value) < float("inf")}


def _reference(compared: Compared, setting: Setting, against: Mapping[str, str]) -> Setting:
    for name in against:
        if name not in compared.names:
            raise ConfigError(
                f"There is no setting {name!r} in which the studies differ.{nearest(name, compared.names)} They differ "
                f"in: {', '.join(compared.names) or 'nothing but their seed'}"
            )
    wanted = tuple(against.get(name, value) for name, value in zip(compared.names, setting.values, strict=True))
    for other in compared.settings:
        if other.values == wanted:
            return other
    raise ConfigError(f"Expected studies with {_text(compared.names, Setting(wanted, {}))}. Received: none")


def _text(names: Sequence[str], setting: Setting) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(names, setting.values, strict=True))
