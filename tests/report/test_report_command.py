import pytest

from degu.cli import main
from degu.report import page
from degu.tracking import MLflowTracker, NullTracker


@pytest.fixture(autouse=True)
def draw_nothing(monkeypatch):
    monkeypatch.setattr(page, "save", lambda figure, folder, name: "<svg></svg>")


@pytest.fixture
def recorded(make_study, tmp_path):
    """A SQLite store with the study, as a run records it."""
    folder = make_study()
    tracker = MLflowTracker(f"sqlite:///{tmp_path / 'store.db'}")
    with tracker.start("invented", {"degu.kind": "study"}) as study:
        for name in ("results.json", "provenance.json", "timings.json", "config.yaml", "evaluation"):
            study.artifact(folder / name)
        for name in ("member-00", "member-01", "student"):
            with study.start(name) as run:
                run.artifact(folder / "histories" / f"{name}.json", "history")
        with tracker.start("unfinished", {"degu.kind": "study"}) as unfinished:
            pass
    return folder, tracker.uri, study.run_id, unfinished.run_id


def test_report_of_a_folder(make_study, tmp_path, capsys):
    folder = make_study()
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert main(["report", str(folder), "--output", str(tmp_path / "new" / "page.html")]) == 0
    assert (tmp_path / "new" / "page.html").read_bytes() == (folder / "report.html").read_bytes()


def test_report_of_a_run_is_that_of_its_folder(recorded, tmp_path, monkeypatch, capsys):
    folder, uri, run_id, unfinished = recorded
    monkeypatch.chdir(tmp_path)
    assert main(["report", run_id[:10], "--tracking-uri", uri]) == 0
    (written,) = tmp_path.glob("report-*.html")
    assert capsys.readouterr().out == f"{written.name}\n"
    assert written.read_bytes() == page.write_report(folder).read_bytes()
    assert main(["report", unfinished, "--tracking-uri", uri]) == 2
    assert "which recorded no results.json" in capsys.readouterr().err


def test_a_study_does_not_fail_with_its_report(tmp_path, caplog):
    from degu.pipeline import _report

    (tmp_path / "results.json").write_text("{")
    _report(NullTracker(), tmp_path)
    assert f"`degu report {tmp_path}` tries again" in caplog.text


def test_mistakes_are_named(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "folder of a finished study with results.json" in capsys.readouterr().err
    assert main(["report", "abcdef", "--root", str(tmp_path)]) == 2
    assert "Expected a tracking database" in capsys.readouterr().err
