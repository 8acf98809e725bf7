"""Sections on activities: the comparison, predicted against measured, and training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from degu.metrics import HIGHER_IS_BETTER
from degu.metrics.activity import ACTIVITY_METRICS
from degu.report.ceiling import Ceiling
from degu.report.content import Note, Part, Picture, Section, Table, absent
from degu.report.figures import TargetScores, comparison_figure, epistemic_figure, predicted_figure, score_figure
from degu.report.history_figures import best_epoch, members_figure, student_figure
from degu.report.scores import AVERAGE, Comparison, Gain, Score
from degu.report.study import Study
from degu.report.words import METRICS, metric_label, number, percent, with_interval

COMPARISON = "comparison"
"""Name of the figure that shows all targets at once; it is written beside the page and is not on it."""

_NO_ARRAYS = "The study has no evaluation/test.npz with the measurements and predictions of the test split."


def comparison_section(study: Study, comparison: Comparison, ceilings: Mapping[str, Ceiling]) -> Section:
    """Show the scores of single models, ensemble and student with their intervals."""
    name, title = "comparison", "Who predicts best"
    if not comparison.scores:
        return absent(name, title, "results.json holds no activity metrics of the test split.")
    targets = [*study.targets, *([AVERAGE] if len(study.targets) > 1 else [])]
    parts: list[Part] = [_scores_table(study, comparison, target, ceilings.get(target)) for target in targets]
    if comparison.gains:
        parts.append(_gains_table(study, comparison.gains, targets))
    scores = target_scores(study, comparison, ceilings)
    for index, target in enumerate(study.targets):
        caption = (
            f"{target}: {scores[target].label} of each single model (grey dots, their mean as a line), of the ensemble "
            "and of the student (squares with 95 % intervals)."
        )
        parts.append(Picture(f"scores_{index}", score_figure(target, scores[target]), caption))
    better = [metric_label(metric) for metric in study.shown_metrics if not HIGHER_IS_BETTER.get(metric, True)]
    reading = (
        "All models predict the same test sequences, which nothing was trained or tuned on. Higher is better"
        f"{', except for ' + ', '.join(better) if better else ''}. In brackets stand 95 % confidence intervals: how "
        "much a value moves when other sequences of the same kind are tested; ± is the standard deviation over members."
    )
    return Section(name, title, reading, parts)


def _scores_table(study: Study, comparison: Comparison, target: str, ceiling: Ceiling | None) -> Table:
    size = study.num_members
    rows = [
        [f"single model (mean ± sd of {size})", *(_single(study, metric, target) for metric in study.shown_metrics)]
    ]
    for row, label in (("ensemble", f"ensemble of {size}"), ("student", "student (one network)")):
        scores = [comparison.scores.get(f"{metric}/{row}/{target}") for metric in study.shown_metrics]
        rows.append([label, *("–" if score is None else with_interval(score) for score in scores)])
    if ceiling is not None:
        bound = "noise ceiling" if ceiling.replicates else "noise ceiling, at worst"
        rows.append([bound, *(number(getattr(ceiling, metric, None)) for metric in study.shown_metrics)])
    caption = f"Average over {len(study.targets)} targets" if target == AVERAGE else target
    return Table(caption, ["model", *map(metric_label, study.shown_metrics)], rows)


def _single(study: Study, metric: str, target: str) -> str:
    prefix = f"test/{study.family}/{metric}"
    spread = study.metrics.get(f"{prefix}/single_sd/{target}")
    value = number(study.metrics.get(f"{prefix}/single_mean/{target}"))
    return value if spread is None else f"{value} ± {number(spread)}"


def _gains_table(study: Study, gains: Mapping[str, Gain], targets: list[str]) -> Table:
    rows = []
    for target in targets:
        if target in gains:
            gain = gains[target]
            kept = "–" if gain.kept is None else _share(gain.kept)
            label = "average" if target == AVERAGE else target
            rows.append([label, *map(with_interval, (gain.ensemble, gain.student, gain.behind)), kept])
    head = ["target", "ensemble against single", "student against single", "student against ensemble", "share kept"]
    caption = (
        f"Differences in {metric_label(study.headline)}; above 0 is better, an interval that holds 0 is no clear "
        "difference. The share that the student keeps is given where the ensemble's gain is clear"
    )
    return Table(caption, head, rows)


def _share(kept: Score) -> str:
    if kept.low is None or kept.high is None:
        return percent(kept.value)
    return f"{percent(kept.value)} ({percent(kept.low)} to {percent(kept.high)})"


def target_scores(study: Study, comparison: Comparison, ceilings: Mapping[str, Ceiling]) -> dict[str, TargetScores]:
    """Return what the figures show of each target: its scores in the headline metric."""
    metric, found = study.headline, {}
    for target in study.targets:
        rows = {row: comparison.scores.get(f"{metric}/{row}/{target}") for row in ("ensemble", "student")}
        found[target] = TargetScores(
            label=metric_label(metric),
            members=_members(study, target),
            single=study.metrics[f"test/{study.family}/{metric}/single_mean/{target}"],
            rows={row: score for row, score in rows.items() if score is not None},
            ceiling=getattr(ceilings.get(target), metric, None),
        )
    return found


def _members(study: Study, target: str) -> list[float]:
    arrays = study.arrays
    if arrays is None or arrays.ensemble.members is None or study.headline not in ACTIVITY_METRICS:
        return []
    column = arrays.names.index(target)
    rows = np.flatnonzero(np.isfinite(arrays.measured[:, column]))
    measured = arrays.measured[rows, column].astype(np.float64)
    statistic = ACTIVITY_METRICS[study.headline]
    once = np.ones(len(rows))
    return [statistic(member[rows, column].astype(np.float64), measured)(once) for member in arrays.ensemble.members]


def comparison_picture(study: Study, comparison: Comparison, ceilings: Mapping[str, Ceiling]) -> Picture | None:
    """Return the figure of all targets, for those who want one file."""
    if study.arrays is None or not comparison.scores:
        return None
    figure = comparison_figure(study.arrays, target_scores(study, comparison, ceilings))
    return Picture(COMPARISON, figure, "Single models, ensemble and student on the test split.")


def prediction_section(study: Study) -> Section:
    """Show predictions against measurements, and the student's uncertainty against the ensemble's."""
    name, title, arrays = "predictions", "Predicted and measured", study.arrays
    if arrays is None:
        return absent(name, title, _NO_ARRAYS)
    parts: list[Part] = []
    for index, target in enumerate(arrays.names):
        measured = arrays.measured[:, index]
        for row in ("ensemble", "student"):
            figure = predicted_figure(target, row, getattr(arrays, row).mean[:, index], measured)
            count = int(np.isfinite(measured).sum())
            caption = f"{target}, {row}: what was predicted and measured for {count} test sequences."
            parts.append(Picture(f"predicted_{index}_{row}", figure, caption))
        epistemic = (arrays.ensemble.epistemic, arrays.student.epistemic)
        if epistemic[0] is not None and epistemic[1] is not None:
            figure = epistemic_figure(target, epistemic[0][:, index], epistemic[1][:, index])
            caption = f"{target}: disagreement of the members, and what the student predicts for it in one pass."
            parts.append(Picture(f"epistemic_{index}", figure, caption))
    parts += _agreement(study)
    reading = (
        "Each hexagon is darker the more sequences lie in it; on the dashed line both values are equal. A cloud that "
        "is flatter than the line means that extremes are predicted too mildly. Labels are shown as the distribution "
        "of predicted probabilities of either class."
    )
    return Section(name, title, reading, parts)


def _agreement(study: Study) -> list[Part]:
    families = {"agreement": "mean", "epistemic": "epistemic", "aleatoric_agreement": "aleatoric"}
    metrics = ("mse", "pearson_r", "spearman_rho")
    rows = []
    for target in study.targets:
        for family, label in families.items():
            values = [study.metrics.get(f"test/{family}/{metric}/student/{target}") for metric in metrics]
            if values[0] is not None:
                rows.append([f"{target}: {label}", *map(number, values)])
    head = ["column", *(METRICS[metric] for metric in metrics)]
    return [Table("How well the student repeats its ensemble", head, rows)] if rows else []


def training_section(study: Study) -> Section:
    """Show the losses by epoch."""
    name, title = "training", "Training"
    members = {name: history for name, history in study.histories.items() if name != "student"}
    if not study.histories:
        return absent(name, title, "The study has no histories of its trainings.")
    parts: list[Part] = []
    if members:
        caption = f"Validation loss of {len(members)} members by epoch; a dot marks the best epoch of each."
        parts.append(Picture("history_members", members_figure(members), caption))
    if "student" in study.histories:
        caption = "Training and validation loss of the student by epoch; a dot marks the best epoch."
        parts.append(Picture("history_student", student_figure(study.histories["student"]), caption))
    rows, last = [], []
    for network, history in study.histories.items():
        epochs, best = len(history.get("loss", ())), best_epoch(history)
        loss = "–" if best is None else number(history["val_loss"][best - 1])
        rows.append([network, str(epochs), "–" if best is None else str(best), loss])
        last += [network] if best is not None and best == epochs else []
    parts.append(Table("Epochs", ["network", "trained", "best", "validation loss there"], rows))
    if last:
        parts.append(Note(f"Still improving in the last epoch, more epochs may help: {', '.join(last)}."))
    reading = (
        "A validation loss that rises while the training loss falls is overfitting; the best epoch has the lowest "
        "validation loss. Members and student learn different targets: their losses do not compare."
    )
    return Section(name, title, reading, parts)
