"""The comparison table as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LABELS = {
    "mse": "MSE",
    "pearson_r": "Pearson r",
    "spearman_rho": "Spearman rho",
    "auroc": "AUROC",
    "average_precision": "avg. precision",
    "f1": "F1",
    "accuracy": "accuracy",
}
STUDENT = "student (one network)"
AGREEMENT = {
    "mean": "agreement/{}/student",
    "aleatoric": "aleatoric_agreement/{}/student",
    "epistemic": "epistemic/{}/student",
}


def comparison_table(
    metrics: Mapping[str, float], split: str, family: str, names: Sequence[str], num_members: int
) -> str:
    """Return single models, ensemble and student, and their uncertainties, as an aligned text table.

    Args:
        metrics: Flat metrics from `degu.evaluation.compare`.
        split: Which split to show.
        family: The metric family of the activity, for example `"regression"`.
        names: The target names.
        num_members: Number of members, for the row labels.

    Returns:
        Lines without a trailing newline.
    """
    shown = list(dict.fromkeys(key.split("/")[2] for key in metrics if key.startswith(f"{split}/{family}/")))
    lines = [["target", "model", *(LABELS.get(metric, metric) for metric in shown)]]
    for name in names:
        lines += _activity_rows(metrics, f"{split}/{family}", shown, name, num_members)
    replicates = {f"ensemble of {num_members}": "aleatoric/{}/ensemble", STUDENT: "aleatoric/{}/student"}
    for title, shown, rows in (
        ("student against ensemble", ["mse", "pearson_r", "spearman_rho"], AGREEMENT),
        ("predicted noise against replicates", ["pearson_r", "spearman_rho"], replicates),
    ):
        found = [row for name in names for row in _rows(metrics, split, name, shown, rows)]
        if found:
            lines += [[], ["target", title, *(LABELS[metric] for metric in shown)], *found]
    return "\n".join(aligned(lines))


def _rows(
    metrics: Mapping[str, float], split: str, name: str, shown: Sequence[str], rows: Mapping[str, str]
) -> list[list[str]]:
    """Return the rows of one target for which there are metrics."""
    found = []
    for label, pattern in rows.items():
        keys = [f"{split}/{pattern.format(metric)}/{name}" for metric in shown]
        if keys[0] in metrics:
            found.append([name, label, *(f"{metrics[key]:.4f}" for key in keys)])
    return found


def _activity_rows(
    metrics: Mapping[str, float], prefix: str, shown: Sequence[str], name: str, num_members: int
) -> list[list[str]]:
    def cell(metric: str, row: str) -> str:
        value = f"{metrics[f'{prefix}/{metric}/{row}/{name}']:.4f}"
        spread = metrics.get(f"{prefix}/{metric}/single_sd/{name}") if row == "single_mean" else None
        return value if spread is None else f"{value} ± {spread:.4f}"

    rows = {"single_mean": f"single models (mean ± sd of {num_members})", "ensemble": f"ensemble of {num_members}"}
    rows["student"] = STUDENT
    return [[name, label, *(cell(metric, row) for metric in shown)] for row, label in rows.items()]


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of cells as text with aligned columns."""
    width = max((len(line) for line in lines), default=0)
    widths = [max((len(line[i]) for line in lines if i < len(line)), default=0) for i in range(width)]
    return ["  ".join(cell.ljust(size) for cell, size in zip(line, widths, strict=False)).rstrip() for line in lines]
