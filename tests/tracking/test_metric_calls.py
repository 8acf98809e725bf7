"""Short epochs share a call of the store, and nothing of them is lost."""

from __future__ import annotations

import pytest

from degu.errors import TrackingError
from degu.tracking import pace


@pytest.fixture
def calls(local, monkeypatch):
    """Numbers of metrics in every call of the store."""
    sizes, log_batch = [], local._client.log_batch

    def counted(run_id, metrics=(), **given):
        if metrics:
            sizes.append(len(metrics))
        return log_batch(run_id, metrics=metrics, **given)

    monkeypatch.setattr(local._client, "log_batch", counted)
    return sizes


def steps(client, run_id):
    return [(entry.step, entry.value) for entry in client.get_metric_history(run_id, "loss")]


def test_short_epochs_are_sent_together_at_the_end(local, read, calls):
    with local.start("member-00") as run:
        for epoch in range(5):
            run.metrics({"loss": epoch / 2, "rate": 0.1}, step=epoch)
        assert calls == []
    assert calls == [10]
    assert steps(read(local), run.run_id) == [(epoch, epoch / 2) for epoch in range(5)]


def test_long_epochs_are_sent_at_once(local, read, calls, monkeypatch):
    monkeypatch.setattr(pace, "SHORTEST_WAIT", 0.0)
    monkeypatch.setattr(pace, "LARGEST_SHARE", 1.0)
    with local.start("member-00") as run:
        for epoch in range(3):
            run.metrics({"loss": 1.0}, step=epoch)
            assert calls == [1] * (epoch + 1)


def test_a_slow_store_is_sent_to_less_often(monkeypatch):
    now = 100.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: now)
    own = pace.Pace()
    now = 200.0
    assert own.is_due(last=189.0)
    assert not own.is_due(last=191.0)
    own.add(0.5)  # of 100 s
    assert not own.is_due(last=189.0)
    assert own.is_due(last=139.0)
    now = 400.0  # 0.5 of 300 s is little enough again
    assert own.is_due(last=389.0)


def test_measurements_of_the_whole_run_are_sent_at_once_with_those_that_wait(local, calls):
    with local.start("study") as run:
        run.metrics({"loss": 1.0}, step=0)
        run.metrics({"test/mse": 0.5, "test/r": 0.9})
        assert calls == [3]
    assert calls == [3]


def test_runs_side_by_side_keep_their_own(local, read, calls):
    with local.start("study") as study, study.start("a") as first, study.start("b") as second:
        first.metrics({"loss": 1.0}, step=0)
        second.metrics({"loss": 2.0}, step=0)
    client = read(local)
    assert [steps(client, run.run_id) for run in (first, second)] == [[(0, 1.0)], [(0, 2.0)]]
    assert steps(client, study.run_id) == []


def one_epoch(tracker, runs, then):
    with tracker.start("member-00") as run:
        runs.append(run.run_id)
        run.metrics({"loss": 1.0}, step=0)
        then()


def test_epochs_before_an_error_are_kept(local, read):
    def fail():
        raise RuntimeError

    runs = []
    with pytest.raises(RuntimeError):
        one_epoch(local, runs, fail)
    assert steps(read(local), runs[0]) == [(0, 1.0)]
    assert read(local).get_run(runs[0]).info.status == "FAILED"


def test_a_run_ends_even_when_its_last_measurements_are_refused(local, read, monkeypatch):
    def refuse(*_, **__):
        raise OSError("disk full")

    runs = []
    with pytest.raises(TrackingError, match="disk full"):
        one_epoch(local, runs, lambda: monkeypatch.setattr(local._client, "log_batch", refuse))
    assert read(local).get_run(runs[0]).info.status == "FINISHED"
