"""A member of a study, trained by a process or a job of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any


def member_job(folder: Path, tracking: Mapping[str, Any], number: int) -> partial[None]:
    """Return what the job of a member does: names and plain values only.

    Args:
        folder: Output folder of the study.
        tracking: Node of the tracker.
        number: Number of the member.
    """
    return partial(train_member, str(folder), number, dict(tracking))


def train_member(folder: str, number: int, tracking: Mapping[str, Any]) -> None:
    """Train one member of a study exactly as the study itself would.

    The study's config and the digest of its data are read from its folder. A member that another process is training
    is waited for.

    Args:
        folder: Output folder of the study.
        number: Number of the member.
        tracking: Node of the tracker.

    Raises:
        DeguError: When the data or the code are not those of the study, or the training fails.
    """
    # Variables of the job, such as its number of threads, are read when these are imported.
    from filelock import FileLock
    from omegaconf import DictConfig, OmegaConf

    from degu.config import build
    from degu.ensemble import InProcess
    from degu.errors import DataError
    from degu.pipeline import load
    from degu.recording import Recorder
    from degu.stages import train_ensemble
    from degu.study_folder import StudyFolder, check_same

    home = Path(folder)
    study, config = StudyFolder.read(home), OmegaConf.load(home / "config.yaml")
    if study is None or not isinstance(config, DictConfig):
        raise DataError(f"{home}: expected the folder of a study, received one without its state and config.")
    splits, device, content = load(config)
    check_same(study, content)
    # What becomes of a failure is decided by the study, which hears of it.
    config.ensemble.on_member_failure, config.ensemble.min_members = "stop", 1
    lock = home / "weights" / f".member_{number}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        tracker = build(OmegaConf.create(dict(tracking)))
        tracker.keep_unsent(home)
        recorder = Recorder(tracker, study, device)
        train_ensemble(config, splits, recorder, home, InProcess(only=number))
        lock.unlink(missing_ok=True)
