"""A study named by its run in place of its folder: the same answers, and one message where that cannot be."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from degu.cli import main
from degu.exchange import export_study, import_study
from degu.tracking import MLflowTracker, show_study
from degu.tracking.store import locate

LETTERS = "ACGT" * 10


@pytest.fixture(scope="module")
def recorded(finished_study, tmp_path_factory):
    """The finished study in a tracking store of its own, and a run without files."""
    place = tmp_path_factory.mktemp("recorded")
    root = place / "mlruns"
    plain = export_study(str(finished_study), place / "plain", root=root)
    run_id = import_study(plain, root=root).run_id
    with MLflowTracker(root=root).start("broken off", {"degu.kind": "study"}) as empty:
        pass
    member = next(child.run_id for child in show_study(run_id, root=root).children if child.kind == "member")
    return SimpleNamespace(folder=finished_study, root=root, run=run_id, empty=empty.run_id, member=member)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with sequences and variants, which is the current one; temporary folders lie in `tmp` beside it."""
    folder, temporary = tmp_path / "here", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    (folder / "x.fa").write_text(f">a\n{LETTERS}\n>b\n{LETTERS[::-1]}\n")
    (folder / "v.tsv").write_text(f"sequence\tposition\tref\talt\n{LETTERS}\t4\tA\tC\n")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield folder
    assert not list(temporary.glob("degu-study-*")), "a fetched study was left behind"


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("model", ["ensemble", "student"])
def test_predictions_are_those_of_the_folder(recorded, here, model):
    options = ["--model", model, "--device", "cpu"]
    assert main(["predict", str(recorded.folder), "x.fa", "-o", "folder.tsv", *options]) == 0
    assert main(["predict", recorded.run[:9], "x.fa", "-o", "run.tsv", *options, "--root", str(recorded.root)]) == 0
    assert (here / "run.tsv").read_bytes() == (here / "folder.tsv").read_bytes()


def test_effects_of_variants_are_those_of_the_folder(recorded, here):
    uri = locate(None, recorded.root).uri
    assert main(["variants", str(recorded.folder), "v.tsv", "-o", "folder.tsv"]) == 0
    assert main(["variants", recorded.run, "v.tsv", "-o", "run.tsv", "--tracking-uri", uri]) == 0
    assert (here / "run.tsv").read_bytes() == (here / "folder.tsv").read_bytes()


def test_maps_of_a_run_are_written_here(recorded, here, capsys):
    maps = ["--sequences", "x.fa", "--target", "activity_1", "--logos", "0", "--model", "student"]
    assert main(["attribute", str(recorded.folder), *maps, "-o", "folder"]) == 0
    assert main(["attribute", recorded.run[:12], *maps, "--root", str(recorded.root)]) == 0
    output = json.loads(capsys.readouterr().out.splitlines()[-1])["output"]
    assert output == str(Path("attribution") / "student_saliency_mean")
    written, expected = files_of(here / output), files_of(here / "folder")
    assert written.keys() == expected.keys()
    assert written["activity_1/contributions.tsv"] == expected["activity_1/contributions.tsv"]


def test_the_student_of_a_run_is_exported(recorded, here):
    assert (
        main(["export-student", recorded.run[:6], "student", "--format", "folder", "--root", str(recorded.root)]) == 0
    )
    assert files_of(here / "student") == files_of(recorded.folder / "student")


def test_a_run_is_compared_as_its_folder_is(recorded, here, capsys):
    tables = []
    for study in (str(recorded.folder), recorded.run):
        assert main(["compare", study, "--root", str(recorded.root)]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


COMMANDS = {
    "predict": ["x.fa"],
    "attribute": [],
    "variants": ["v.tsv"],
    "export-student": ["s.keras"],
    "reproduce": ["--check"],
    "report": [],
    "compare": [],
    "runs export": ["exported"],
}


def refusal(verb, study, capsys, *options):
    """Return the one message of a command that is refused and leaves nothing behind."""
    before = files_of(Path())
    assert main([*verb.split(), study, *COMMANDS[verb], *options]) == 2
    assert files_of(Path()) == before
    told = capsys.readouterr().err
    assert "Traceback" not in told
    (message,) = [line for line in told.splitlines() if line.startswith("degu: ")]
    return message


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_refuses_the_same_names_with_the_same_words(recorded, here, capsys, verb):
    store = ["--root", str(recorded.root)]
    wrong = recorded.run[:9] + ("0" if recorded.run[9] != "0" else "1")
    assert f"Expected the id of a recorded run, received '{wrong}'. Did you mean" in refusal(
        verb, wrong, capsys, *store
    )
    message = refusal(verb, recorded.empty, capsys, *store)
    assert (
        f"finished study, received {recorded.empty} (broken off, FINISHED), which recorded no results.json" in message
    )
    message = refusal(verb, "outputs/nowhere", capsys, *store)
    assert message.startswith("degu: outputs/nowhere: expected the output folder of a study (output_dir")
    assert message.endswith(
        "or its run id (the first 6 characters will do; degu runs list shows them), received neither."
    )
    assert "received a file." in refusal(verb, "x.fa", capsys, *store)


def test_a_run_of_a_network_is_no_study(recorded, here, capsys):
    message = refusal("predict", recorded.member, capsys, "--root", str(recorded.root))
    assert f"received {recorded.member} (member-00, FINISHED), which recorded no results.json" in message


@pytest.mark.parametrize("verb", ["predict", "reproduce", "compare"])
def test_a_store_that_cannot_be_reached(recorded, here, capsys, verb):
    message = refusal(verb, recorded.run, capsys, "--tracking-uri", "http://127.0.0.1:9")
    assert "Expected an MLflow server at http://127.0.0.1:9" in message
    assert f"Expected a tracking database at {here / 'mlruns' / 'mlflow.db'}, found none" in refusal(
        verb, recorded.run, capsys
    )


def test_files_that_have_gone_are_named(recorded, here, capsys):
    root = here / "mlruns"
    run_id = import_study(export_study(str(recorded.folder), here / "plain", root=root), root=root).run_id
    member = next(child.run_id for child in show_study(run_id, root=root).children if child.kind == "member")
    for weights in (root / "artifacts").glob("*/artifacts/weights"):
        shutil.rmtree(weights)
    message = refusal("predict", run_id, capsys)
    assert "recorded no weights, or whose files are no longer at" in message
    assert message.count(f"{root / 'artifacts' / run_id}") == 1
    assert member not in message
    shutil.rmtree(root / "artifacts")
    assert "recorded no results.json, or whose files are no longer at" in refusal("predict", run_id, capsys)
