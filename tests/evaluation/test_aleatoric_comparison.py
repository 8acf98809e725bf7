import numpy as np
import pytest
from scipy import stats

from degu.ensemble import Prediction
from degu.evaluation import compare, noise_metrics, student_metrics
from degu.metrics import eval_classification, eval_regression
from degu.report.table import comparison_table

RNG = np.random.default_rng(0)
MEASURED = RNG.normal(size=(30, 2))
MEMBERS = MEASURED + RNG.normal(size=(3, 30, 2))
NOISE = RNG.uniform(0.1, 1.0, (30, 2))
NAMES = ("a", "b")


def ensemble(noisy=(0, 1)):
    return Prediction(MEMBERS.mean(axis=0), MEMBERS.std(axis=0), hidden(NOISE, noisy), MEMBERS)


def student(noisy=(0, 1)):
    return Prediction(MEMBERS[0], MEMBERS.std(axis=0) + 0.1, hidden(NOISE + RNG.normal(size=(30, 2)) / 9, noisy))


def hidden(noise, known):
    """None, or NaN in the columns that are not known."""
    return np.where(np.isin(np.arange(2), known), noise, np.nan) if known else None


def compared(noisy=(0, 1), measured=(0, 1)):
    std = hidden(NOISE**2, measured)
    if std is not None:
        std[::5] = np.nan
    answers = ensemble(noisy), student(noisy)
    return std, answers, compare("test", "regression", NAMES, MEASURED, *answers, eval_regression, std)


def test_predicted_noise_is_compared_with_replicates():
    std, answers, metrics = compared()
    known = ~np.isnan(std[:, 0])
    for row, prediction in zip(("ensemble", "student"), answers, strict=True):
        for index, name in enumerate(NAMES):
            pair = prediction.aleatoric[known, index], std[known, index]
            assert metrics[f"test/aleatoric/pearson_r/{row}/{name}"] == pytest.approx(stats.pearsonr(*pair).statistic)
            assert metrics[f"test/aleatoric/spearman_rho/{row}/{name}"] == pytest.approx(stats.spearmanr(*pair)[0])
        values = [metrics[f"test/aleatoric/pearson_r/{row}/{name}"] for name in NAMES]
        assert metrics[f"test/aleatoric/pearson_r/{row}/mean"] == pytest.approx(np.mean(values))


def test_students_noise_is_compared_with_the_ensembles():
    _, (teacher, pupil), metrics = compared()
    expected = stats.pearsonr(pupil.aleatoric[:, 1], teacher.aleatoric[:, 1]).statistic
    assert metrics["test/aleatoric_agreement/pearson_r/student/b"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("noisy", "measured", "agreed", "checked"),
    [
        ((1,), (0, 1), {"b", "mean"}, {"b", "mean"}),
        ((0, 1), (0,), {"a", "b", "mean"}, {"a", "mean"}),
        ((0,), (1,), {"a", "mean"}, set()),
        ((0, 1), (), {"a", "b", "mean"}, set()),
        ((), (0, 1), set(), set()),
    ],
)
def test_only_targets_that_have_both_count(noisy, measured, agreed, checked):
    _, _, metrics = compared(noisy, measured)

    def shown(family, row):
        return {key.split("/")[4] for key in metrics if key.startswith(f"test/{family}/pearson_r/{row}/")}

    assert shown("aleatoric_agreement", "student") == agreed
    assert shown("aleatoric", "student") == shown("aleatoric", "ensemble") == checked
    assert np.isfinite(list(metrics.values())).all()


def test_metrics_of_one_network_have_no_row():
    std, (teacher, pupil), metrics = compared((1,))
    flat = noise_metrics(pupil, std, NAMES, "test/aleatoric/")
    assert flat["test/aleatoric/pearson_r/b"] == metrics["test/aleatoric/pearson_r/student/b"]
    flat = student_metrics(pupil, teacher, NAMES, "test")
    assert flat["test/aleatoric_agreement/mse/b"] == metrics["test/aleatoric_agreement/mse/student/b"]
    assert flat["test/epistemic/mse/a"] == pytest.approx(0.01)


def test_table_shows_noise_where_there_is_some():
    *_, metrics = compared((1,))
    table = comparison_table(metrics, "test", "regression", NAMES, 3)
    sections = [[line.split() for line in part.splitlines()] for part in table.split("\n\n")]
    assert len(sections) == 3
    assert [row[:2] for row in sections[1][1:]] == [["a", "mean"], ["a", "epistemic"]] + [
        ["b", kind] for kind in ("mean", "aleatoric", "epistemic")
    ]
    assert sections[2][0][:5] == ["target", "predicted", "noise", "against", "replicates"]
    assert [row[:2] for row in sections[2][1:]] == [["b", "ensemble"], ["b", "student"]]
    assert sections[2][1][-2] == f"{metrics['test/aleatoric/pearson_r/ensemble/b']:.4f}"
    *_, without = compared(())
    assert "noise" not in comparison_table(without, "test", "regression", NAMES, 3)


def test_classifiers_are_compared_by_classification_and_their_spread_by_regression():
    labels = (MEASURED > 0).astype(float)
    members = 1 / (1 + np.exp(-MEMBERS))
    teacher = Prediction(members.mean(axis=0), members.std(axis=0), None, members)
    pupil = Prediction(members[0], members.std(axis=0) + 0.1)
    metrics = compare("test", "classification", NAMES, labels, teacher, pupil, eval_classification)
    assert metrics["test/classification/auroc/student/a"] == eval_classification(pupil.mean, labels).auroc[0]
    assert metrics["test/epistemic/mse/student/b"] == pytest.approx(0.01)
    table = comparison_table(metrics, "test", "classification", NAMES, 3)
    assert "AUROC" in table.splitlines()[0]
    assert "Pearson r" not in table.splitlines()[0]
