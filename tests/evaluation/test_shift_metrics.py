import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from degu.ensemble import Prediction
from degu.evaluation import ShiftedSet, shift_metrics
from degu.evaluation.shift import auroc, epistemic_agreement, shift_rows
from degu.metrics import UndefinedMetricWarning, eval_regression
from degu.uncertainty import Spread

NAMES = ("a", "b")
LOGVAR = Spread("logvar")
RNG = np.random.default_rng(0)
SETS = [
    ShiftedSet("unshifted", RNG.integers(0, 4, (50, 9), np.uint8), RNG.normal(size=(50, 2)).astype(np.float32)),
    ShiftedSet("shuffled", RNG.integers(0, 4, (40, 9), np.uint8)),
    ShiftedSet(
        "library", RNG.integers(0, 4, (30, 9), np.uint8), np.stack([np.full(30, np.nan), RNG.normal(size=30)], 1)
    ),
]


WEIGHTS = RNG.normal(size=(9, 4, 2))


def model(scale):
    """Predicts from letters; the epistemic column is a log-variance."""

    def predict(tokens):
        letters = np.eye(4)[tokens]
        return Prediction(
            scale * np.einsum("nla,lak->nk", letters, WEIGHTS),
            np.log(1 + letters[:, :3, :2].sum((1, 2)))[:, None] * [1, 2],
        )

    return predict


PREDICT = {"ensemble": model(1.0), "student": model(0.5)}


@pytest.fixture(scope="module")
def flat():
    return shift_metrics("test", NAMES, SETS, PREDICT, LOGVAR)


@pytest.mark.parametrize("seed", range(3))
def test_auroc_is_that_of_scikit_learn_with_ties(seed):
    rng = np.random.default_rng(seed)
    inside, outside = rng.integers(0, 6, 40), rng.integers(1, 8, 70)
    labels = np.repeat([0, 1], [40, 70])
    assert auroc(inside, outside) == pytest.approx(roc_auc_score(labels, np.concatenate([inside, outside])))
    assert auroc(inside, inside) == 0.5


def test_agreement_is_that_of_student_and_ensemble(flat):
    for part in SETS:
        teacher, student = (PREDICT[row](part.tokens).mean for row in ("ensemble", "student"))
        for index, name in enumerate(NAMES):
            expected = np.mean((student[:, index] - teacher[:, index]) ** 2)
            assert flat[f"test/shift/{part.name}/mse/student/{name}"] == pytest.approx(expected)
            # half of the mean: a quarter of mean square, which is variance and squared mean
            expected /= np.var(teacher[:, index])
            assert flat[f"test/shift/{part.name}/normalized_mse/student/{name}"] == pytest.approx(expected)
            assert flat[f"test/shift/{part.name}/pearson_r/student/{name}"] == pytest.approx(1.0)
    assert not [key for key in flat if "mse/ensemble" in key and "measured" not in key]


def test_uncertainty_shift_compares_standard_deviations_with_those_of_the_first_set(flat):
    for part in SETS:
        usual, shifted = (
            np.exp(0.5 * PREDICT["student"](tokens).epistemic) for tokens in (SETS[0].tokens, part.tokens)
        )
        for index, name in enumerate(NAMES):
            prefix = f"test/shift/{part.name}/epistemic"
            expected = auroc(usual[:, index], shifted[:, index])
            assert flat[f"{prefix}_auroc/student/{name}"] == pytest.approx(expected)
            expected = shifted[:, index].mean() / usual[:, index].mean()
            assert flat[f"{prefix}_std_ratio/student/{name}"] == pytest.approx(expected)
    assert flat["test/shift/unshifted/epistemic_auroc/ensemble/mean"] == 0.5
    assert flat["test/shift/unshifted/epistemic_std_ratio/ensemble/mean"] == 1.0


def test_errors_are_those_of_measured_rows_and_targets(flat):
    mean = PREDICT["ensemble"](SETS[2].tokens).mean[:, 1]
    mse, r, rho = eval_regression(mean, SETS[2].measured[:, 1])
    prefix = "test/shift/library/measured"
    assert flat[f"{prefix}_mse/ensemble/b"] == flat[f"{prefix}_mse/ensemble/mean"] == pytest.approx(mse[0])
    assert flat[f"{prefix}_pearson_r/student/b"] == pytest.approx(r[0])
    assert flat[f"{prefix}_spearman_rho/student/b"] == pytest.approx(rho[0])
    assert f"{prefix}_mse/ensemble/a" not in flat
    assert not [key for key in flat if key.startswith("test/shift/shuffled/measured")]


def test_a_constant_ensemble_has_no_normalised_error():
    constant = {**PREDICT, "ensemble": lambda tokens: model(0.0)(tokens)}
    with pytest.warns(UndefinedMetricWarning):
        flat = shift_metrics("test", NAMES, SETS[1:2], constant, LOGVAR)
    assert flat["test/shift/shuffled/mse/student/a"] > 0
    assert not [key for key in flat if "/normalized_mse" in key or "/pearson_r" in key]


def test_a_model_without_an_epistemic_column_is_refused():
    plain = {"ensemble": lambda tokens: Prediction(np.zeros((len(tokens), 2)))}
    with pytest.raises(ValueError, match="with an epistemic column"):
        shift_metrics("test", NAMES, SETS[1:2], plain, LOGVAR)


def test_rows_of_the_table_hold_every_metric(flat):
    rows = shift_rows({**flat, "test/regression/mse/student/a": 1.0})
    assert len(rows) == 3 * 2 * 3
    assert sum(len(row) - 3 for row in rows) == len(flat)
    row = next(row for row in rows if (row["set"], row["row"], row["target"]) == ("library", "student", "b"))
    assert row["measured_mse"] == flat["test/shift/library/measured_mse/student/b"]


def test_agreement_of_epistemic_columns_is_their_correlation():
    rng = np.random.default_rng(0)
    student, teacher = rng.random((2, 50, 2))
    found = epistemic_agreement(student, teacher)
    for column in (0, 1):
        pair = student[:, column], teacher[:, column]
        assert found["epistemic_pearson_r"][column] == pytest.approx(stats.pearsonr(*pair).statistic)
        assert found["epistemic_spearman_rho"][column] == pytest.approx(stats.spearmanr(*pair).statistic)
    student[:, 1] = 2.0
    assert np.isnan(epistemic_agreement(student, teacher)["epistemic_pearson_r"]).tolist() == [False, True]
