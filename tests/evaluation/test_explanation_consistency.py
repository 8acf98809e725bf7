import keras
import numpy as np
import pytest

from degu.data import Split
from degu.distill import StudentColumns
from degu.evaluation.explanations import consistency_rows, explain, explanation_consistency, logo_arrays, most_active

LENGTH = 6
RNG = np.random.default_rng(0)
SPLIT = Split(RNG.integers(0, 4, (5, LENGTH), np.uint8), RNG.normal(size=(5, 2)), np.arange(5).astype(str))


def linear(kernel):
    """A network without a bias whose gradient is its kernel `(L * 4, outputs)`."""
    inputs = keras.Input((LENGTH, 4))
    model = keras.Model(inputs, keras.layers.Dense(kernel.shape[1])(keras.layers.Flatten()(inputs)))
    model.set_weights([kernel, np.zeros(kernel.shape[1])])
    return model


def corrected(kernel, target):
    weights = kernel[:, target].reshape(LENGTH, 4)
    return weights - weights.mean(axis=1, keepdims=True)


def test_consistency_of_linear_models_is_that_of_their_weights():
    kernels = [RNG.normal(size=(LENGTH * 4, 2)) for _ in range(3)]
    student = RNG.normal(size=(LENGTH * 4, 4))
    explained = explain(
        SPLIT, ("a", "b"), [linear(kernel) for kernel in kernels], linear(student), StudentColumns(2), 3
    )
    flat = explanation_consistency(explained, "p/")
    for target, name in enumerate("ab"):
        maps = np.stack([corrected(kernel, target) for kernel in kernels])
        errors = np.sqrt(np.square(maps - maps.mean(axis=0)).mean(axis=(1, 2)))
        assert flat[f"p/rmse/single/{name}"] == pytest.approx(errors.mean(), rel=1e-5)
        error = np.sqrt(np.square(corrected(student, target) - maps.mean(axis=0)).mean())
        assert flat[f"p/rmse/student/{name}"] == pytest.approx(error, rel=1e-5)
    averaged = np.mean([flat["p/pearson/student/a"], flat["p/pearson/student/b"]])
    assert flat["p/pearson/student/mean"] == pytest.approx(averaged)
    rows = {(row["row"], row["target"]): row for row in consistency_rows(flat, "p/")}
    assert rows.keys() == {
        (row, name) for row in ("single", "single_left_out", "student") for name in ("a", "b", "mean")
    }
    assert rows["single", "a"]["rmse_sd"] == flat["p/rmse/single_sd/a"]
    assert rows["student", "b"]["cosine"] == flat["p/cosine/student/b"]


def test_most_active_rows_come_first_and_unmeasured_ones_last():
    assert most_active(np.array([0.0, np.nan, 3.0, -1.0]), 4).tolist() == [2, 0, 3, 1]
    assert most_active(np.array([0.0, np.nan, 3.0, -1.0]), 1).tolist() == [2]


def test_logos_hold_the_contributions_of_the_sequences_own_letters():
    kernels, student = [RNG.normal(size=(LENGTH * 4, 2)) for _ in range(3)], RNG.normal(size=(LENGTH * 4, 4))
    explained = explain(
        SPLIT, ("a", "b"), [linear(kernel) for kernel in kernels], linear(student), StudentColumns(2), 4
    )
    arrays = logo_arrays(explained, SPLIT.ids, 2)
    assert arrays["ensemble"].shape == arrays["student"].shape == (2, 2, LENGTH)
    for target in (0, 1):
        best = SPLIT.targets[:, target].argmax()
        own = np.arange(LENGTH), SPLIT.tokens[best]
        members = np.stack([corrected(kernel, target)[own] for kernel in kernels])
        np.testing.assert_allclose(arrays["ensemble"][target, 0], members.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(arrays["ensemble_sd"][target, 0], members.std(axis=0, ddof=1), rtol=1e-4)
        np.testing.assert_allclose(arrays["student"][target, 0], corrected(student, target)[own], rtol=1e-5)
        assert arrays["ids"][target, 0] == SPLIT.ids[best]
