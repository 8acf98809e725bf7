"""Settings of `degu run` that a training would trip over later: refused before anything is trained or written."""

import errno
import os
import signal

import pytest

from degu.errors import DataError, Terminated, user_message
from degu.signals import ended_by_signal

TINY = [
    *("experiment=smoke", "data.num_train=20", "data.num_valid=10", "data.num_test=10", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "device=cpu"),
]
DYNAMIC = ["distill=dynamic", "augment@distill.augment=random", "trainer@distill.trainer=smoke"]
PLAIN = ["+uncertainty._partial_=true", "~uncertainty.unit", "~uncertainty.ddof", "~uncertainty.floor"]
UNMEASURED = [f"evaluation.{part}=null" for part in ("uncertainty", "calibration", "shift")]

SETTINGS = {
    "key": (["trainer.max_epoch=3"], "no config key 'trainer.max_epoch'. Did you mean 'trainer.max_epochs'"),
    "choice": (["model=deepstar"], "no choice 'deepstar' in group 'model'. Did you mean 'deepstarr'"),
    "no equals sign": (["model"], "overrides of the form key=value. Received: 'model'"),
    "several values": (["seed=1,2"], "one value in 'seed=1,2'. .* Add -m"),
    "sweep and config": (["-m", "--cfg", "job"], "one of --multirun, --cfg and --info. Received: -m and --cfg"),
    "metric": (["objective.metric=valid/regression/person_r/student/mean"], "no metric .*Did you mean .*pearson_r"),
    "rate of letters": (["trainer.initial_lr=abc"], "trainer.initial_lr to be a number above 0. Received: 'abc'"),
    "rate of 0": (["distill.trainer.initial_lr=0"], "distill.trainer.initial_lr to be a number above 0"),
    "batch size": (["trainer.batch_size=-1"], "trainer.batch_size to be a whole number of at least 1. Received: -1"),
    "half a batch": (["trainer.batch_size=0.5"], "trainer.batch_size to be a whole number"),
    "no epochs": (["distill.trainer.max_epochs=0"], "distill.trainer.max_epochs to be a whole number of at least 1"),
    "patience": (["trainer.es_patience=-2"], "trainer.es_patience to be a whole number of at least 0"),
    "decay": (["trainer.lr_decay=2"], "trainer.lr_decay to be a number above 0 and at most 1"),
    "one member": (["ensemble.num_ensemble=1"], "at least 2 members .ensemble.num_ensemble.. Received: 1"),
    "impossible layer": (["model.filters=[-4]"], "can be built from model .* Received, from its builder: .*-4"),
    "argument": (["+model.depth=3"], "small_cnn has no argument 'depth'"),
    "student": (
        ["model@distill.student=small_cnn", "distill.student.filters=[-4]"],
        "built from distill",
    ),
    "head weights": (["distill.head_weights={epistemc:2}"], "no kind of column 'epistemc'. Did you mean 'epistemic'"),
    "alpha": (["distill.alpha=2"], r"alpha in \[0, 1\]"),
    "uncertainty of another kind": (
        [*DYNAMIC, *UNMEASURED, "uncertainty._target_=numpy.std", *PLAIN, "--allow", "numpy"],
        "Expected a degu.uncertainty.Spread as uncertainty_fun of dynamic distillation",
    ),
    "augmented recipe": ([*DYNAMIC[:2], "trainer@distill.trainer=dynamic_aug"], "a train_fun that does not augment"),
    "finetune": (
        [*DYNAMIC, "+distill.teach.finetune.max_epoch=3"],
        "no argument 'max_epoch'. Did you mean 'max_epochs'",
    ),
    "no such folder": (["--config-dir", "nowhere"], "Expected --config-dir to name a folder. Received: 'nowhere'"),
    "no server": (["tracking.uri=http://127.0.0.1:9"], "Expected an MLflow server at http://127.0.0.1:9"),
    "store of a kernel": (["tracking.root=/proc/mlruns"], "/proc/mlruns"),
    "output of a kernel": (["hydra.run.dir=/proc/out"], "Expected files that can be read and written. .*/proc/out"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_are_refused_before_training(refused, place, case):
    (place / "file").write_text("")
    arguments, message = SETTINGS[case]
    tracking = [] if any(text.startswith("tracking") for text in arguments) else ["tracking=none"]
    refused("run", *TINY, *tracking, *arguments, message=message, but="outputs")


def test_what_a_user_is_told():
    full = OSError(errno.ENOSPC, "No space left on device", "weights.h5")
    wrapped = RuntimeError("somewhere")
    wrapped.__cause__ = full
    assert "No space left on device: 'weights.h5'. Make room and run it again" in user_message(wrapped)
    refusal = DataError("line 3: expected a number")
    refusal.__cause__ = full
    assert user_message(refusal) == "line 3: expected a number"
    assert user_message(ZeroDivisionError()) is None


def test_sigterm_ends_a_block_once():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), ended_by_signal():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
