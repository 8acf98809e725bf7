"""A study that was interrupted between its stages, and one that was complete, run again in process."""

import json

import pytest
from hydra import compose, initialize_config_dir

import degu.pipeline
from degu.config import config_dir
from degu.errors import ConfigError, EnsembleError, TrainingError
from degu.tracking import MLflowTracker, NullTracker
from degu.tracking.backend import load_client

TINY = [
    *("experiment=smoke", "device=cpu", "data.num_train=48", "data.num_valid=30", "data.num_test=30", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "trainer.max_epochs=2"),
    *("distill.trainer.max_epochs=2", "evaluation.uncertainty.num_resamples=0", "evaluation.attribution=null"),
    *("ensemble.engine=serial", "evaluation.shift=null", "device.deterministic=false"),
]


def composed(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=[*TINY, *overrides])


class Interrupted(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The folder and the tracker of a study that stopped when its student began."""
    folder = tmp_path_factory.mktemp("study")
    tracker = MLflowTracker(root=folder / "mlruns")
    with pytest.MonkeyPatch.context() as patch:

        def stop(*args, **kwargs):
            raise Interrupted

        patch.setattr(degu.pipeline, "distill_student", stop)
        with pytest.raises(Interrupted):
            degu.pipeline.run(composed(), tracker, folder / "study")
    return folder / "study", tracker


@pytest.fixture(scope="module")
def resumed(interrupted):
    """The result of the same study, run again, and the weight files of its members before and after."""
    folder, tracker = interrupted
    paths = sorted((folder / "weights").glob("member_*.weights.h5"))
    before = [(path.name, path.stat().st_mtime_ns) for path in paths]
    result = degu.pipeline.run(composed(), tracker, folder)
    return result, before, [(path.name, path.stat().st_mtime_ns) for path in paths]


def test_members_that_were_finished_are_kept(resumed):
    _, before, after = resumed
    assert len(before) == 2
    assert before == after


def test_the_runs_are_those_of_the_first_sitting(interrupted, resumed):
    folder, tracker = interrupted
    client = load_client(tracker.uri)
    study = client.get_run(resumed[0].run_id)
    found = client.search_runs([study.info.experiment_id])
    assert sorted(run.info.run_name for run in found) == ["member-00", "member-01", "smoke", "student"]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert study.data.tags["degu.sittings"] == "2"
    for run in found:
        for name in run.data.metrics:
            steps = [metric.step for metric in client.get_metric_history(run.info.run_id, name)]
            assert len(steps) == len(set(steps)), f"{run.info.run_name}: {name}"
    assert json.loads((folder / "study.json").read_text())["complete"]


def test_results_are_those_of_an_uninterrupted_study(resumed, tmp_path):
    whole = degu.pipeline.run(composed(), NullTracker(), tmp_path / "whole")
    for name in ("results.json", "weights/member_1.weights.h5", "weights/student.weights.h5", "histories/student.json"):
        assert (whole.output_dir / name).read_bytes() == (resumed[0].output_dir / name).read_bytes(), name


def test_a_complete_study_is_returned_as_it_is(resumed, interrupted, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("something was trained")

    monkeypatch.setattr(degu.pipeline, "train_ensemble", never)
    again = degu.pipeline.run(composed("tracking=none"), interrupted[1], interrupted[0])
    assert again == resumed[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("model.dense=5", "model.dense: 4 -> 5"),
        ("seed=1", "seed: 0 -> 1"),
        ("resume=false", "because resume=false. Received: a complete study"),
    ],
)
def test_another_study_is_refused_with_what_differs(resumed, interrupted, change, named):
    with pytest.raises(ConfigError, match=named.replace(".", r"\.")):
        degu.pipeline.run(composed(change), interrupted[1], interrupted[0])


def test_other_data_are_another_study(resumed, interrupted):
    changed = composed("data.seed=5")
    content = degu.pipeline.plan(changed).content
    assert content["data"] != degu.pipeline.plan(composed()).content["data"]
    with pytest.raises(ConfigError, match="data: "):
        degu.pipeline.run(changed, interrupted[1], interrupted[0])


def combined(members, *overrides):
    chosen = ["ensemble=from_run", f"ensemble.members={members}", "ensemble.num_ensemble=null"]
    return composed(*chosen, "tracking=none", *overrides)


@pytest.fixture(scope="module")
def stranger(resumed, tmp_path_factory):
    """A copy of a member's weights that nothing is known of."""
    path = tmp_path_factory.mktemp("elsewhere") / "old.weights.h5"
    path.write_bytes((resumed[0].output_dir / "weights" / "member_1.weights.h5").read_bytes())
    return path


def test_members_of_a_study_are_combined_in_another(resumed, interrupted, stranger, tmp_path, caplog):
    """By folder, run id of a member and weight file; only the student is trained."""
    first = resumed[0].output_dir
    state = json.loads((first / "study.json").read_text())
    members = f"[{first},{state['runs']['member-00'][:12]},{stranger}]"
    config = combined(members, f"tracking.root={interrupted[0].parent / 'mlruns'}", "tracking=mlflow")
    result = degu.pipeline.run(config, NullTracker(), tmp_path / "study")
    weights = [tmp_path / "study" / "weights" / f"member_{number}.weights.h5" for number in range(4)]
    kept = [(first / "weights" / f"member_{number}.weights.h5").read_bytes() for number in (0, 1, 0, 1)]
    assert [path.read_bytes() for path in weights] == kept
    assert json.loads((tmp_path / "study" / "results.json").read_text())["members"] == 4
    assert "Not known of members trained elsewhere" in caplog.text
    assert result.metrics["test/regression/mse/student/mean"] > 0


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model.dense=5"], "architecture .*member_1"),
        (["data.length=50"], "input length 40 instead of 50"),
        (["data.num_targets=1"], r"targets \['activity_0', 'activity_1'\] instead of \['activity_0'\]"),
        (["ensemble.standardize=false"], "standardised targets True instead of False"),
    ],
)
def test_members_that_do_not_agree_are_named(resumed, overrides, named):
    with pytest.raises(EnsembleError, match=named):
        degu.pipeline.plan(combined(f"[{resumed[0].output_dir}]", *overrides))


def test_sources_that_are_nothing_are_named(tmp_path):
    for member in (tmp_path / "nowhere", "old/a.weights.h5"):
        with pytest.raises(EnsembleError, match="nothing there"):
            degu.pipeline.plan(combined(f"[{member}]"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EnsembleError, match="Expected members in"):
        degu.pipeline.plan(combined(f"[{tmp_path / 'empty'}]"))


def test_a_member_that_breaks_is_marked_as_failed(tmp_path):
    """The learning rate is absurd, so every member breaks; the study goes on until fewer are left than it needs."""
    tracker = MLflowTracker(root=tmp_path / "mlruns")
    config = composed("trainer.initial_lr=1e30", "ensemble.on_member_failure=continue")
    with pytest.raises(EnsembleError, match="at least min_members=2 members. Received: 0"):
        degu.pipeline.run(config, tracker, tmp_path / "study")
    state = json.loads((tmp_path / "study" / "study.json").read_text())
    client = load_client(tracker.uri)
    status = {name: client.get_run(run_id).info.status for name, run_id in state["runs"].items()}
    assert status == {"study": "FAILED", "member-00": "FAILED", "member-01": "FAILED", "student": "SCHEDULED"}
    with pytest.raises(
        TrainingError, match=r"member 1/2: Expected a finite training loss. Received: .* in epoch 2, step"
    ):
        degu.pipeline.run(composed("trainer.initial_lr=1e30"), tracker, tmp_path / "study")
