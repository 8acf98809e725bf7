import csv
import json

import pytest

from degu.cli import main


@pytest.fixture
def studies(tmp_path):
    """Return a function that writes the folder of a study with invented metrics."""

    def write(seed, command, pearson_r, name=None):
        single, ensemble, student = pearson_r
        folder = tmp_path / "outputs" / (name or f"{len(list(tmp_path.rglob('results.json')))}")
        folder.mkdir(parents=True)
        rows = {"single_mean": single, "single_sd": 0.01, "ensemble": ensemble, "student": student}
        metrics = {
            f"test/regression/pearson_r/{row}/{t}": value for row, value in rows.items() for t in ("Dev", "mean")
        }
        metrics["test/uncertainty_total/crps/student_minus_ensemble/Dev"] = 1.0
        metrics["test/uncertainty_total/crps/student/Dev"] = 0.3
        (folder / "results.json").write_text(json.dumps({"seed": seed, "members": 3, "metrics": metrics}))
        (folder / "provenance.json").write_text(json.dumps({"command": f"degu run seed={seed} name=x {command}"}))
        (folder / "config.yaml").write_text("ensemble:\n  num_ensemble: 5\ndata:\n  a: 1\n")
        return folder

    return write


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_seeds_are_repetitions_and_settings_are_kept_apart(studies, tmp_path, capsys):
    for seed, shift in enumerate([0.0, 0.02, 0.01]):
        studies(seed, "data=table", (0.6 + shift, 0.66 + 2 * shift, 0.63))
        studies(seed, "ensemble.num_ensemble=2 data=table", (0.5, 0.56, 0.53))
    output = tmp_path / "deep" / "results.csv"
    assert (
        main(["compare", str(tmp_path / "outputs"), "-o", str(output), "--figure", str(tmp_path / "a" / "figure")]) == 0
    )
    found = {
        (row["ensemble.num_ensemble"], row["model"], row["minus"]): row
        for row in rows_of(output)
        if row["target"] == "Dev"
    }
    assert "data" not in rows_of(output)[0]  # all have the same
    assert set(found) == {
        (members, *models)
        for members in ("5", "2")  # 5 stands in the config, not in the command
        for models in [
            ("single_mean", ""),
            ("ensemble", ""),
            ("student", ""),
            ("ensemble", "single_mean"),
            ("student", "single_mean"),
            ("student", "ensemble"),
        ]
    }
    gain = found["5", "ensemble", "single_mean"]
    assert (gain["studies"], float(gain["mean"])) == ("3", pytest.approx(0.07))
    assert float(gain["low"]) < 0.07 < float(gain["high"])
    assert 0 < float(gain["p_value"]) < 0.01
    assert found["5", "ensemble", ""]["p_value"] == ""
    assert "ensemble - single_mean" in capsys.readouterr().out
    assert (tmp_path / "a" / "figure.png").stat().st_size
    assert "single models" in (tmp_path / "a" / "figure.svg").read_text()


def test_the_figure_shows_the_metric_that_is_asked_for_first(studies, tmp_path):
    for seed in (0, 1):
        studies(seed, "data=table", (0.6, 0.66, 0.65))
    asked = ["--metric", "test/uncertainty_total/crps", "--metric", "test/regression/pearson_r"]
    assert main(["compare", str(tmp_path / "outputs"), *asked, "--figure", str(tmp_path / "figure")]) == 0
    drawn = (tmp_path / "figure.svg").read_text()
    assert "CRPS, total" in drawn
    assert "Pearson" not in drawn


def test_a_number_in_which_studies_differ_is_an_axis(studies, tmp_path):
    for seed in (0, 1):
        for fraction in (0.1, 0.5, 1.0):
            studies(seed, f"downsample.fraction={fraction}", (0.5 + fraction / 10, 0.66, 0.65))
    assert main(["compare", str(tmp_path / "outputs"), "--figure", str(tmp_path / "figure")]) == 0
    assert "downsample.fraction" in (tmp_path / "figure.svg").read_text()


def test_true_is_true_however_it_is_spelt(studies, tmp_path, capsys):
    for seed in (0, 1):
        studies(seed, "distill.standardize=True", (0.6, 0.66, 0.65))
        studies(seed, "distill.standardize=false", (0.6, 0.66, 0.63))
    assert main(["compare", str(tmp_path / "outputs"), "--against", "distill.standardize=true"]) == 0
    assert "student - [distill.standardize=true]" in capsys.readouterr().out


def test_shifted_sets_are_metrics_like_others(studies, tmp_path, capsys):
    for seed in (0, 1):
        folder = studies(seed, "data=table", (0.6, 0.66, 0.65))
        results = json.loads((folder / "results.json").read_text())
        for row, value in (("ensemble", 0.5), ("student", 0.4 + seed / 10)):
            results["metrics"][f"test/shift/shuffled/epistemic_auroc/{row}/a/b"] = value
        (folder / "results.json").write_text(json.dumps(results))
    output = tmp_path / "results.csv"
    asked = ["--metric", "test/shift/*/epistemic_auroc", "-o", str(output)]
    assert main(["compare", str(tmp_path / "outputs"), *asked]) == 0
    found = {(row["model"], row["minus"]): row for row in rows_of(output)}
    assert set(found) == {("ensemble", ""), ("student", ""), ("student", "ensemble")}
    assert {row["metric"] for row in found.values()} == {"test/shift/shuffled/epistemic_auroc"}
    assert {row["target"] for row in found.values()} == {"a/b"}
    assert float(found["student", "ensemble"]["mean"]) == pytest.approx(-0.05)


def test_settings_against_one_of_them(studies, tmp_path, capsys):
    for seed in (0, 1):
        studies(seed, "downsample.fraction=1.0", (0.6, 0.66, 0.65))
        studies(seed, "downsample.fraction=0.5", (0.6, 0.64, 0.6 + 0.01 * seed))
    output = tmp_path / "results.csv"
    asked = ["--against", "downsample.fraction=1.0", "--metric", "test/*/pearson_?", "-o", str(output)]
    assert main(["compare", str(tmp_path / "outputs"), *asked]) == 0
    against = [
        row for row in rows_of(output) if row["against"] and row["model"] == "student" and row["target"] == "Dev"
    ]
    assert [(row["downsample.fraction"], row["against"]) for row in against] == [("0.5", "downsample.fraction=1.0")]
    assert float(against[0]["mean"]) == pytest.approx(-0.045)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "test/regresion/pearson_r"], "Did you mean 'test/regression/pearson_r'?"),
        (["--against", "data=x"], "There is no setting 'data' in which the studies differ"),
        (["--against", "data"], "Expected --against KEY=VALUE"),
        (["--against", "seed.of=3"], "They differ in: trainer.max_epochs"),
        (["--against", "trainer.max_epochs=7"], "Expected studies with trainer.max_epochs=7"),
    ],
)
def test_what_cannot_be_compared(studies, tmp_path, capsys, options, message):
    studies(0, "trainer.max_epochs=1", (0.6, 0.66, 0.65))
    studies(0, "trainer.max_epochs=2", (0.6, 0.66, 0.65))
    assert main(["compare", str(tmp_path / "outputs"), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_study_is_counted_once(studies, tmp_path, capsys):
    studies(0, "data=table", (0.6, 0.66, 0.65))
    studies(0, "data=table", (0.6, 0.66, 0.65))
    assert main(["compare", str(tmp_path / "outputs")]) == 2
    assert "Name only one of the two" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(tmp_path / "empty")]) == 2
    assert "without a finished study" in capsys.readouterr().err


def test_one_study_has_values_without_intervals(studies, tmp_path, capsys):
    folder = studies(3, "data=table", (0.6, 0.66, 0.65))
    assert main(["compare", str(folder), "--metric", "test/*/*"]) == 0
    out = capsys.readouterr().out
    assert "0.6600" in out
    assert " to " not in out
    assert "student_minus_ensemble" not in out
