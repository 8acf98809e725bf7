"""Tiny studies of public data sets that users place themselves: missing targets, replicates and labels as they come."""

import math

import pytest

pytestmark = pytest.mark.slow  # each reads a table of up to 55,000 rows in a process of its own

QUICK = [
    "trainer=smoke",
    "trainer@distill.trainer=smoke",
    "model.filters=[4]",
    "model.dense=4",
    "ensemble.num_ensemble=2",
    "trainer.max_epochs=1",
    "distill.trainer.max_epochs=1",
]


@pytest.fixture
def quick(shared_data, degu_run, monkeypatch):
    """Return a function that runs a study of one data set."""

    def run(name, fraction, *arguments):
        monkeypatch.setenv("DEGU_DATA", str(shared_data(name).parents[1]))
        (study,) = degu_run(*arguments, *QUICK, f"downsample.fraction={fraction}")
        return study

    return run


def test_deepstarr_sample(quick):
    study = quick("deepstarr_sample", 0.1, "data=deepstarr_sample")
    for target in ("Dev_log2", "Hk_log2"):
        assert study.metrics[f"test/regression/mse/student/{target}"] > 0


def test_plant_core_promoters_with_half_of_the_targets_missing(quick):
    study = quick("plant_core_promoters", 0.05, "data=plant_core_promoters")
    assert all(math.isfinite(value) for value in study.metrics.values())
    assert "tobacco_leaf_log2" in study.table


def test_plant_terminators_with_replicates_of_one_target(quick):
    study = quick("plant_terminators", 0.01, "experiment=plant_terminators", "model=small_cnn")
    noisy = {key.split("/")[4] for key in study.metrics if key.startswith("test/aleatoric/pearson_r/student/")}
    assert noisy == {"tobacco_log2", "mean"}
    assert "predicted noise against replicates" in study.table


def test_ecoli_promoters_as_labels(quick):
    study = quick("ecoli_promoters", 0.05, "experiment=ecoli_active")
    assert 0 <= study.metrics["test/classification/auroc/student/active"] <= 1
