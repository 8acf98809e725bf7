from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from degu.errors import TrackingError
from degu.tracking import MLflowTracker, list_studies, show_study


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store with a failed study, then a finished one with two members and a student."""
    root = tmp_path_factory.mktemp("queries")
    tracker = MLflowTracker(root=root)
    with (
        pytest.raises(ValueError, match="stop"),
        tracker.start("failed", tags={"degu.kind": "study"}) as failed,
    ):
        raise ValueError("stop")
    with tracker.start("not a study"):
        pass
    (root / "table.csv").write_text("a,b")
    with tracker.start("good", tags={"degu.kind": "study", "degu.objective": "test/mse"}) as study:
        study.config({"seed": 0})
        study.tags({"data.name": "synthetic", "device": "cpu"})
        with study.start("student", tags={"degu.kind": "student"}) as student:
            student.metrics({"test/mse": 0.5})
        for index in (1, 0):
            with study.start(f"member-{index:02d}", tags={"degu.kind": "member"}) as member:
                member.metrics({"test/mse": float(index)}, step=0)
        study.metrics({"test/mse": 0.25})
        study.artifact(root / "table.csv", folder="tables")
    return root, failed.run_id, study.run_id, student.run_id


def test_studies_are_listed_newest_first(recorded):
    root, failed, good, _ = recorded
    studies = list_studies(root=root)
    assert [study.run_id for study in studies] == [good, failed]
    newest, oldest = studies
    assert (newest.name, newest.status, newest.members, newest.objective) == ("good", "FINISHED", 2, 0.25)
    assert (newest.data, newest.device) == ("synthetic", "cpu")
    assert timedelta(0) <= datetime.now(UTC) - newest.started < timedelta(minutes=5)
    assert 0 <= newest.duration < 300
    assert (oldest.status, oldest.members, oldest.objective, oldest.data) == ("FAILED", 0, None, "")


def test_limit_keeps_the_newest(recorded):
    root, _, good, _ = recorded
    assert [study.run_id for study in list_studies(root=root, limit=1)] == [good]
    with pytest.raises(TrackingError, match="at least 1, received 0"):
        list_studies(root=root, limit=0)


def test_study_is_shown_by_a_prefix(recorded):
    root, _, good, _ = recorded
    detail = show_study(good[:10], root=root)
    assert detail.summary == list_studies(root=root, limit=1)[0]
    assert detail.params == {"seed": "0"}
    assert detail.tags["degu.kind"] == "study"
    assert not any(key.startswith("mlflow.") for key in detail.tags)
    assert detail.metrics == {"test/mse": 0.25}
    assert detail.artifacts == ["config.yaml", "tables/table.csv"]
    found = [(child.name, child.kind, child.status, child.metrics) for child in detail.children]
    assert found == [
        ("member-00", "member", "FINISHED", {"test/mse": 0.0}),
        ("member-01", "member", "FINISHED", {"test/mse": 1.0}),
        ("student", "student", "FINISHED", {"test/mse": 0.5}),
    ]


def test_student_is_shown_by_its_id(recorded):
    root, _, _, student = recorded
    assert show_study(student, root=root).metrics == {"test/mse": 0.5}


def test_unknown_id_names_the_nearest_study(recorded):
    root, _, good, _ = recorded
    wrong = good[:9] + ("0" if good[9] != "0" else "1")
    with pytest.raises(TrackingError, match=f"received '{wrong}'. Did you mean '{good[:10]}'"):
        show_study(wrong, root=root)


@pytest.mark.parametrize("prefix", ["abcde", "", "abc' OR '1", "abcdef%"])
def test_malformed_id_is_refused(recorded, prefix):
    with pytest.raises(TrackingError, match="first 6 or more characters"):
        show_study(prefix, root=recorded[0])


def test_ambiguous_prefix_is_refused(recorded, monkeypatch):
    from degu.tracking import queries

    root = recorded[0]
    monkeypatch.setattr(queries, "SHORTEST_PREFIX", 1)
    clashing = MLflowTracker(root=root)
    firsts = {}
    while True:
        run_id = clashing.create("other")
        if run_id[0] in firsts:
            break
        firsts[run_id[0]] = run_id
    with pytest.raises(TrackingError, match=f"received '{run_id[0]}', which fits"):
        show_study(run_id[0], root=root)


def test_store_without_runs_is_not_created_by_looking(tmp_path):
    with pytest.raises(TrackingError, match=r"tracking database at .*found none"):
        list_studies(root=tmp_path / "mlruns")
    assert not (tmp_path / "mlruns").exists()


def test_studies_of_a_server_are_listed(server):
    tracker = MLflowTracker(server, experiment="queries")
    with tracker.start("on a server", tags={"degu.kind": "study"}) as study, study.start("x"):
        study.metrics({"a": 1.0})
    assert study.run_id in [summary.run_id for summary in list_studies(uri=server, limit=1000)]
    assert show_study(study.run_id[:12], uri=server).metrics == {"a": 1.0}
