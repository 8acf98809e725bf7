"""What a config asks of the evaluation, and what is refused before anything is trained."""

import functools
import inspect

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from degu.config import build, config_dir, groups
from degu.data import Splits
from degu.ensemble import Prediction
from degu.errors import ConfigError
from degu.evaluation import shifted_sets
from degu.evaluation.calibration import METHODS
from degu.results import Answers
from degu.trust import assess, baselines_of, shifted_of

SMALL = "data=synthetic data.num_train=30 data.num_valid=40 data.num_test=60 data.length=40"
OFF = ("uncertainty", "calibration", "shift", "attribution")


@functools.cache
def composed(overrides=""):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=f"{SMALL} {overrides}".split())


@pytest.fixture(scope="module")
def splits():
    return build(composed().data)


@pytest.mark.parametrize("name", groups(config_dir())["evaluation"])
def test_every_evaluation_configures_what_there_is(name):
    settings = composed(f"evaluation={name}").evaluation
    assert set(OFF) <= set(settings)
    arguments = inspect.signature(shifted_sets).parameters.keys()
    assert {key for key in settings.shift or () if not key.startswith("_")} <= arguments
    assert settings.calibration is None or set(settings.calibration.methods) <= set(METHODS)


def test_shifted_sets_follow_the_config(splits):
    config = composed(
        "evaluation.shift.num_sequences=9 data@evaluation.shift.library=synthetic "
        "evaluation.shift.library.seed=4 evaluation.shift.library.length=40"
    )
    sets = shifted_of(config, splits)
    assert [part.name for part in sets][-2:] == ["motif_destroyed", "library"]
    assert {len(part.tokens) for part in sets} == {9}
    assert sets[-1].measured.shape == (9, 2)


def test_everything_can_be_left_out(splits):
    config = composed(" ".join(f"evaluation.{part}=null" for part in OFF))
    assert shifted_of(config, splits) == []
    assert baselines_of(composed("evaluation.baselines=null"), None) == {}
    assert assess(config, splits, [], None, None, None) == ({}, {}, None, None)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("evaluation.calibration.methods=[isotonik]", "no method 'isotonik' .* Did you mean 'isotonic'"),
        ("evaluation.calibration.fraction=1", "calibration.fraction above 0 and below 1. Received: 1"),
        ("evaluation.calibration.num_bins=0", "num_bins >= 1"),
        ("evaluation.uncertainty.confidence_levels=[90]", "uncertainty.confidence_levels above 0 and below 1"),
        (
            "uncertainty._target_=numpy.std +uncertainty._partial_=true "
            "~uncertainty.unit ~uncertainty.ddof ~uncertainty.floor",
            "degu.uncertainty.Spread for evaluation.uncertainty. Received: numpy.std. Set evaluation.uncertainty=null",
        ),
    ],
)
def test_settings_that_would_fail_after_training_are_refused(splits, mistake, message):
    with pytest.raises(ConfigError, match=message):
        shifted_of(composed(mistake), splits)


def answers(splits, seed=0):
    rng = np.random.default_rng(seed)

    def of(split):
        mean = split.targets + rng.normal(size=split.targets.shape)
        return Prediction(mean, rng.uniform(0.5, 1.0, mean.shape))

    return Answers(*({name: of(getattr(splits, name)) for name in ("valid", "test")} for _ in range(2)))


WITHOUT_MAPS = "evaluation.shift=null evaluation.attribution=null evaluation.uncertainty.num_resamples=0"


def test_a_calibration_split_of_the_data_is_used_where_there_is_one(splits):
    carved = splits.carve_calibration(0.25)

    class Both:
        """Stands for ensembler, distiller and student: predicts 0 with an uncertainty of 1."""

        cache = network = None
        num_ensemble = 2

        @property
        def distiller(self):
            return self

        def predict(self, tokens, *_):
            assert len(tokens) == 15
            rng = np.random.default_rng(1)
            return Prediction(np.zeros((15, 2)), rng.uniform(0.5, 1.0, (15, 2)))

        predict_student = predict

    found = assess(composed(WITHOUT_MAPS), carved, [], Both(), Both(), answers(carved))
    assert found.curves["rows"] == {"calibrated": 15, "evaluated": 45}


def test_test_sequences_that_were_trained_on_are_neither_calibrated_on_nor_evaluated(splits, caplog):
    config = composed(WITHOUT_MAPS)
    plain = assess(config, splits, [], None, None, answers(splits))
    assert plain.curves["rows"] == {"calibrated": 30, "evaluated": 30}
    leaking = Splits(
        splits.test.__class__(splits.test.tokens, splits.test.targets, np.arange(60).astype(str)),
        splits.valid,
        splits.test,
        splits.target_names,
        "leaking",
    )
    found = assess(config, leaking, [], None, None, answers(leaking))
    assert found.curves["rows"] == {"calibrated": 0, "evaluated": 60}
    assert "Nothing is calibrated: Expected test sequences that are in neither train nor valid" in caplog.text
    assert "test/uncertainty_epistemic/nll/student/mean" in found.metrics
    assert not [key for key in found.metrics if "conformal" in key]
