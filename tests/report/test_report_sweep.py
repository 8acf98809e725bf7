"""Tables and the figure of a sweep."""

import csv
import io

import numpy as np
import pytest

from degu.report.drawing import svg
from degu.report.sweep_figure import parallel_coordinates
from degu.report.sweep_table import LONGEST, SweepRow, sweep_text, sweep_tsv

METRIC = "valid/regression/pearson_r/student/mean"


def row(number, objective, status="finished", **values):
    metrics = {} if objective is None else {"test/regression/pearson_r/ensemble/mean": objective + 0.05}
    return SweepRow(number, status, values, METRIC, objective, metrics, 90.0, f"run{number}", str(number))


ROWS = [row(0, 0.1, seed="0"), row(1, 0.25, seed="1"), row(2, None, "failed", seed="2")]


def test_the_tsv_has_every_job_with_full_precision():
    lines = list(csv.DictReader(io.StringIO(sweep_tsv(ROWS, best=1)), delimiter="\t"))
    assert [line["job"] for line in lines] == ["0", "1", "2"]
    assert [line["best"] for line in lines] == ["", "yes", ""]
    assert lines[1]["seed"] == "1"
    assert float(lines[1]["test_ensemble"]) == 0.25 + 0.05
    assert lines[1]["test_student"] == lines[2]["objective"] == ""


def test_the_text_has_the_best_first_and_failures_last():
    title, header, *lines = sweep_text(ROWS, 1, "maximize").splitlines()
    assert title == f"objective: {METRIC}, maximize"
    assert header.split()[:3] == ["job", "status", "seed"]
    assert [line.split()[:2] for line in lines] == [["*", "1"], ["0", "finished"], ["2", "failed"]]
    lowest = sweep_text(ROWS, 0, "minimize").splitlines()[2]
    assert lowest.split()[:2] == ["*", "0"]


def test_a_long_text_names_the_file_with_the_rest():
    text = sweep_text([row(number, 0.1 * number, seed=str(number)) for number in range(LONGEST + 7)], 36, "maximize")
    assert text.splitlines()[-1] == "... and 7 more in comparison.tsv"
    assert len(text.splitlines()) == LONGEST + 3


def test_jobs_with_different_objectives_say_which():
    other = SweepRow(3, "finished", {"seed": "3"}, "valid/classification/auroc/student/mean", 0.9, {}, 1.0, "r", "3")
    assert "valid/classification/auroc/student/mean" in sweep_text([*ROWS, other], None, "maximize")


def lines_of(figure):
    axis = figure.axes[0]
    return [line for line in axis.lines if line.get_gid()]


def test_every_job_is_a_line_through_its_values():
    values = [{"lr": lr, "model": model} for lr in ("0.0001", "0.001", "0.01") for model in ("a", "b")]
    objectives = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    figure = parallel_coordinates(values, objectives, METRIC, best=5)
    lines = lines_of(figure)
    heights = np.array(sorted(tuple(line.get_ydata()) for line in lines))
    assert len(lines) == 6
    assert heights[:, 0] == pytest.approx([0, 0, 0.5, 0.5, 1, 1])  # a logarithmic axis
    assert set(heights[:, 1]) == {0.0, 1.0}
    assert heights[:, 2].min() == 0
    assert heights[:, 2].max() == 1
    widths = [line.get_linewidth() for line in lines]
    assert widths[-1] == max(widths)  # the best one, on top
    assert lines[-1].get_ydata()[2] == 1
    text = svg(figure, "p")
    for label in ("lr", "model", "objective", "0.0001", "0.01", METRIC):
        assert label in text


def test_a_linear_axis_and_equal_objectives():
    figure = parallel_coordinates([{"x": "1"}, {"x": "2"}, {"x": "4"}], [0.5, 0.5, 0.5], METRIC)
    heights = sorted(line.get_ydata()[0] for line in lines_of(figure))
    assert heights == pytest.approx([0, 1 / 3, 1])
    assert "the best one" not in svg(figure, "p")


def test_missing_values_and_formula_signs_are_drawn():
    figure = parallel_coordinates([{"a": "$x$"}, {"a": "y", "b": "1"}], [0.0, 1.0], METRIC, best=1)
    assert len(lines_of(figure)) == 2
    svg(figure, "p")
