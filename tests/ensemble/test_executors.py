"""Members in processes of their own are those of this process; what becomes of processes that fail."""

import functools
import json
import os

import pytest

from degu.ensemble import EnsemblerBase, LocalProcesses, SlurmJobs
from degu.ensemble.jobs import MemberJob, failure_path
from degu.errors import EnsembleError, TrainingError
from degu.seeds import derive_seed
from degu.train import Checkpoints, train_standard_fun

BRIEF = functools.partial(train_standard_fun, max_epochs=2, batch_size=32)


def train(folder, splits, builder, recipe, **more):
    ensembler = EnsemblerBase(builder)
    histories = ensembler.train(
        splits.train.tokens,
        splits.train.targets,
        2,
        recipe,
        (splits.valid.tokens, splits.valid.targets),
        folder / "member",
        seed=5,
        resume=Checkpoints(),
        **more,
    )
    return ensembler, histories


def test_local_processes_train_the_same_members(tmp_path, splits, conv_net, monkeypatch):
    """One of them breaks: a variable that it finds in its environment says so. MLflow's own variables are hidden."""
    monkeypatch.setenv("MLFLOW_RUN_ID", "a run that is not theirs")
    builder = conv_net(dropout=0.2)

    def recipe(model, x_train, y_train, validation_data=None, seed=None, callbacks=()):
        import os

        assert "MLFLOW_RUN_ID" not in os.environ or not os.environ.get("SUBMITIT_EXECUTOR")
        assert not os.environ.get("SUBMITIT_EXECUTOR") or os.environ["CUDA_VISIBLE_DEVICES"] == ""
        return BRIEF(model, x_train, y_train, validation_data, seed=seed, callbacks=callbacks)

    serial, _ = train(tmp_path / "serial", splits, builder, recipe, engine="serial")
    local, histories = train(
        tmp_path / "local", splits, builder, recipe, executor=LocalProcesses(devices=[], jobs_per_device=2)
    )
    for mine, theirs in zip(local.members, serial.members, strict=True):
        assert mine.weights.read_bytes() == theirs.weights.read_bytes()
    assert [history.epoch for history in histories] == [[0, 1], [0, 1]]
    assert os.environ["MLFLOW_RUN_ID"] == "a run that is not theirs"
    assert not list((tmp_path / "local" / "jobs").glob("*.pkl"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "retries"), [("stop", 0), ("continue", 1)], ids=["stop without a second try", "go on after one"]
)
def test_a_process_that_dies_is_named(tmp_path, splits, conv_net, policy, retries):
    doomed = derive_seed(5, "member", 1)

    def recipe(model, x_train, y_train, validation_data=None, seed=None, callbacks=()):
        import os

        if seed == doomed:
            os._exit(7)
        return BRIEF(model, x_train, y_train, validation_data, seed=seed, callbacks=callbacks)

    executor = LocalProcesses(retries=retries, devices=[], jobs_per_device=2)
    if policy == "stop":
        with pytest.raises(TrainingError, match=r"Expected weights from job .* on_member_failure=continue"):
            train(tmp_path, splits, conv_net(), recipe, executor=executor)
        return
    ensembler, _ = train(tmp_path, splits, conv_net(), recipe, executor=executor, on_member_failure="continue")
    assert ensembler.member_numbers == [0]
    assert "Expected weights from job" in str(ensembler.failures[1])
    assert len(list((tmp_path / "jobs").glob("*_log.err"))) == 3


def test_a_job_notes_why_it_failed(tmp_path):
    def broken():
        raise TrainingError("Expected a finite training loss", has_good_weights=True)

    weights = tmp_path / "member_3.weights.h5"
    MemberJob(broken, weights)()
    assert json.loads(failure_path(weights).read_text()) == {
        "message": "Expected a finite training loss",
        "has_good_weights": True,
    }
    MemberJob(lambda: None, weights)()
    assert not failure_path(weights).exists()


def test_slots_are_devices_times_processes(monkeypatch):
    assert LocalProcesses(devices=[0, 3], jobs_per_device=2).slots(9) == [0, 3, 0, 3]
    assert LocalProcesses(devices=[]).slots(9) == [None]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8f6b")
    assert LocalProcesses().slots(9) == ["2", "GPU-8f6b"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert LocalProcesses().slots(9) == [None]
    assert SlurmJobs().slots(3) == [None] * 3


def test_what_is_missing_is_said(tmp_path, splits, conv_net, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnsembleError, match="Expected the commands of SLURM"):
        train(tmp_path, splits, conv_net(), BRIEF, executor=SlurmJobs())
    ensembler = EnsemblerBase(conv_net())
    with pytest.raises(EnsembleError, match=r"Expected resume=Checkpoints\(\)"):
        ensembler.train(splits.train.tokens, splits.train.targets, 2, BRIEF, executor=LocalProcesses())
