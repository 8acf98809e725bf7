from __future__ import annotations

import pytest

from degu.tracking import NullTracker, Tracker


def test_takes_every_call_and_records_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracker = NullTracker()
    with tracker.start("study", tags={"degu.kind": "study"}) as study:
        study.config({"seed": 0})
        run_id = study.create("member-00")
        with study.attach(run_id) as member:
            member.metrics({"loss": 1.0}, step=0)
            member.tags({"a": "b"})
            member.artifact(tmp_path / "missing", folder="x")
    assert run_id == study.run_id == ""
    assert list(tmp_path.iterdir()) == []


def test_lets_errors_through():
    with pytest.raises(ValueError, match="mine"), NullTracker().start("study"):
        raise ValueError("mine")


def test_satisfies_the_protocol():
    assert isinstance(NullTracker(), Tracker)
