"""`degu reproduce` and `degu runs export/import`: a study checked, tampered with, run again, and taken elsewhere."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from degu.data import detokenize, synthetic
from degu.manifest import MANIFEST
from degu.tracking import show_study
from degu.tracking.backend import load_client

TINY = [
    *(
        "name=tiny",
        "trainer=smoke",
        "trainer@distill.trainer=smoke",
        "data=table",
        "data.id=name",
        "model.filters=[4]",
        "model.dense=4",
        "device=cpu",
    ),
    *("ensemble.num_ensemble=2", "trainer.max_epochs=2", "distill.trainer.max_epochs=2"),
    *("evaluation.uncertainty.num_resamples=2", "evaluation.attribution=null", "evaluation.shift=null"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set as a table."""
    folder = tmp_path_factory.mktemp("a place")
    data = synthetic(num_train=40, num_valid=30, num_test=60, length=40)
    lines = ["name\tsequence\tsplit\tDev\tHk"]
    for split, part in data.items():
        for row, letters in enumerate(detokenize(part.tokens)):
            values = "\t".join(f"{value:.5f}" for value in part.targets[row])
            lines.append(f"{split}{row}\t{letters}\t{split}\t{values}")
    (folder / "data.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def study(place, degu_commands):
    """The tracked study: run id and folder."""
    (done,) = degu_commands(place, ["run", *TINY, f"data.path={place}/data.tsv", "data.targets=[Dev,Hk]"])
    assert done.status == 0, done.err
    summary = json.loads(done.out.splitlines()[-1])
    return summary["run_id"], Path(summary["output_dir"])


def copied(study, name):
    return Path(shutil.copytree(study[1], study[1].parents[2] / "copies" / name))


def with_a_changed_weight(study):
    folder = copied(study, "weight")
    with h5py.File(folder / "weights" / "member_1.weights.h5", "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        tensor = file[names[0]]
        values = tensor[()]
        values.flat[0] += 0.25
        tensor[...] = values
    return folder, names[0]


def with_a_changed_leaf(study):
    folder = copied(study, "leaf")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["trainer"]["max_epochs"] = 3
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def with_a_changed_metric(study):
    folder = copied(study, "metric")
    results = json.loads((folder / "results.json").read_text())
    results["metrics"]["test/regression/pearson_r/student/Dev"] += 1e-9
    (folder / "results.json").write_text(json.dumps(results, indent=2))
    return folder


def with_foreign_code(study):
    """A study whose author made a manifest that agrees with it."""
    folder = copied(study, "foreign")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["uncertainty"] = {"_target_": "evil_module.run"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    manifest = json.loads((folder / MANIFEST).read_text())
    leaves = {leaf: value for leaf, value in manifest["config"].items() if not leaf.startswith("uncertainty.")}
    manifest["config"] = leaves | {"uncertainty._target_": "evil_module.run"}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def done(place, study, degu_commands):
    """What each command printed, by name."""
    run_id, folder = study
    rows = (place / "data.tsv").read_text().splitlines()
    cells = rows[8].split("\t")
    assert cells[0] == "train7"
    spoilt = [*rows[:8], "\t".join([*cells[:3], "9.5", cells[4]]), *rows[9:]]
    (place / "row.tsv").write_text("\n".join(spoilt) + "\n")
    (place / "evil_module.py").write_text("raise SystemExit('imported')")
    weight, tensor = with_a_changed_weight(study)
    elsewhere = ["--root", "other/mlruns"]
    commands = {
        "untouched": ["reproduce", folder, "--check"],
        "untouched run": ["reproduce", run_id[:10], "--check"],
        "weight": ["reproduce", weight, "--check"],
        "leaf": ["reproduce", with_a_changed_leaf(study), "--check"],
        "metric": ["reproduce", with_a_changed_metric(study), "--check"],
        "metric tolerated": ["reproduce", study[1].parents[2] / "copies" / "metric", "--check", "--tolerance", "1e-6"],
        "row": ["reproduce", folder, "--check", "--data", "row.tsv"],
        "foreign": ["reproduce", with_foreign_code(study), "--check"],
        "foreign again": ["reproduce", study[1].parents[2] / "copies" / "foreign"],
        "no data": ["reproduce", folder, "--check", "--data", "nowhere.tsv"],
        "no leaf": ["reproduce", folder, "--check", "--moved", "data.pth=data.tsv"],
        "again": ["reproduce", folder, "-o", "again"],
        "again on another row": ["reproduce", run_id, "-o", "row", "--data", "row.tsv", "--no-tracking"],
        "export run": ["runs", "export", run_id[:8], "study.tar.gz"],
        "export folder": ["runs", "export", folder, "plain"],
        "import": ["runs", "import", "study.tar.gz", *elsewhere],
        "import folder": ["runs", "import", "plain", *elsewhere, "--experiment", "second"],
        "imported": ["reproduce", "outputs/imported/study", "--check"],
        "import again": ["runs", "import", "study.tar.gz", *elsewhere],
        "export over": ["runs", "export", folder, "plain"],
    }
    found = degu_commands(place, *commands.values())
    return {"tensor": tensor, **dict(zip(commands, found, strict=True))}


def lines_of(printed):
    return [line.split("  ") for line in printed.out.splitlines()]


@pytest.mark.parametrize("name", ["untouched", "untouched run", "metric tolerated"])
def test_an_untouched_study_passes(done, name):
    printed = done[name]
    wanted = 1 if name == "metric tolerated" else 0
    assert printed.status == wanted, printed.out + printed.err
    if wanted == 0:
        assert json.loads(printed.out.splitlines()[-1])["untouched"] is True
    else:
        # The file differs from its digest; its numbers are within the tolerance.
        assert "results.json" in printed.out
        assert "pearson_r" not in printed.out


def test_a_changed_weight_is_named_and_its_metrics_are_shown(done):
    printed = done["weight"]
    assert printed.status == 1
    assert f"weights/member_1.weights.h5, tensor {done['tensor']}" in printed.out
    assert "member_0" not in printed.out
    assert "test/regression/pearson_r/ensemble/Dev" in printed.out


def test_a_changed_leaf_is_named_with_both_values(done):
    printed = done["leaf"]
    assert printed.status == 1
    (line,) = [line for line in printed.out.splitlines() if line.startswith("config")]
    assert line.split() == ["config", "trainer.max_epochs", "2", "3"]


def test_a_changed_row_is_named_with_its_column(done):
    printed = done["row"]
    assert printed.status == 1
    (line,) = [line for line in printed.out.splitlines() if line.startswith("data")]
    assert "train split, column targets/Dev, 1 row" in line
    assert "row 7 (id train7): 9.5" in line


def test_a_changed_result_is_named(done):
    printed = done["metric"]
    assert printed.status == 1
    assert "test/regression/pearson_r/student/Dev" in printed.out


@pytest.mark.parametrize("name", ["foreign", "foreign again"])
def test_code_of_a_study_is_refused_before_it_is_imported(done, name):
    printed = done[name]
    assert printed.status == 2
    assert "Expected uncertainty._target_ from" in printed.err
    assert "evil_module.run" in printed.err


def test_mistakes_are_named(done):
    assert done["no data"].status == 2
    assert "nowhere.tsv" in done["no data"].err
    assert done["no leaf"].status == 2
    assert "Did you mean 'data.path'?" in done["no leaf"].err


def test_a_study_run_again_gives_the_same_bits_and_says_so(done, place, study):
    printed = done["again"]
    assert printed.status == 0, printed.out + printed.err
    assert (place / "again" / "results.json").read_bytes() == (study[1] / "results.json").read_bytes()
    summary = json.loads(printed.out.splitlines()[-1])
    assert (summary["moved"], summary["results_identical"]) == (0, True)
    assert "test/regression/pearson_r/student/mean" in printed.out
    tags = show_study(summary["run_id"], None, place / "mlruns").tags
    assert (tags["degu.reproduces"], tags["degu.reproduced"]) == (study[1].name, "true")
    table = (place / "again" / "reproduction" / "metrics.tsv").read_text().splitlines()
    assert len(table) > len(json.loads((study[1] / "results.json").read_text())["metrics"])


def test_a_study_run_again_on_other_data_has_moved(done):
    printed = done["again on another row"]
    assert printed.status == 1
    assert "data.digest" in printed.out
    assert json.loads(printed.out.splitlines()[-1])["moved"] > 0


def test_an_exported_folder_is_plain(done, place, study):
    assert done["export folder"].status == done["export run"].status == 0, done["export run"].err
    folder = place / "plain"
    assert {"README.md", "config.yaml", "results.json", "report.html", "runs", "weights", "histories"} <= {
        path.name for path in folder.iterdir()
    }
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".db")]
    assert (folder / "weights" / "student.weights.h5").read_bytes() == (
        study[1] / "weights" / "student.weights.h5"
    ).read_bytes()
    header, *rows = (folder / "runs" / "metrics.csv").read_text().splitlines()
    assert header == "run,metric,step,time_ms,value"
    assert sum(row.startswith("member-01,train/loss,") for row in rows) == 2
    assert "`report.html`" in (folder / "README.md").read_text()


def points(client, run):
    return {
        (name, point.step, point.value if point.value == point.value else "nan")
        for name in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    }


def tree(client, run_id):
    study = client.get_run(run_id)
    children = client.search_runs([study.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return {"": study, **{run.info.run_name: run for run in children}}


def test_an_imported_study_has_the_runs_of_the_original(done, place, study):
    assert done["import"].status == 0, done["import"].err
    summary = json.loads(done["import"].out.splitlines()[-1])
    ours, theirs = (load_client(f"sqlite:///{place / root / 'mlflow.db'}") for root in ("mlruns", "other/mlruns"))
    original, imported = tree(ours, study[0]), tree(theirs, summary["run_id"])
    assert set(imported) == set(original) == {"", "member-00", "member-01", "student"}
    for name, run in original.items():
        copy = imported[name]
        assert copy.data.params == run.data.params
        assert points(theirs, copy) == points(ours, run)
        assert (copy.info.status, copy.info.start_time, copy.info.end_time) == (
            *(run.info.status, run.info.start_time, run.info.end_time),
        )
        kept, before = (
            # The mark of a run is that of one store.
            {key: value for key, value in found.data.tags.items() if not key.startswith(("mlflow.", "degu.uid"))}
            for found in (copy, run)
        )
        assert kept == before | ({"degu.imported_from": study[0]} if not name else {})
    artifacts = set(show_study(study[0], None, place / "mlruns").artifacts)
    assert artifacts <= set(show_study(summary["run_id"], None, place / "other" / "mlruns").artifacts)
    assert show_study(json.loads(done["import folder"].out)["run_id"], None, place / "other" / "mlruns").params


def test_an_imported_study_is_untouched(done, place):
    assert done["imported"].status == 0, done["imported"].out + done["imported"].err


def test_nothing_is_written_over(done):
    assert done["import again"].status == done["export over"].status == 2
    assert "one that exists" in done["import again"].err


def test_an_import_of_foreign_code_or_changed_files_is_refused(done, place, study, degu_commands):
    plain = place / "plain"
    foreign, damaged = (Path(shutil.copytree(plain, place / name)) for name in ("foreign", "damaged"))
    for name in ("config.yaml", MANIFEST):
        shutil.copy(study[1].parents[2] / "copies" / "foreign" / name, foreign / name)
    weights = damaged / "weights" / "student.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-64])
    with zipfile.ZipFile(place / "damaged.zip", "w") as archive:
        for path in damaged.rglob("*"):
            archive.write(path, path.relative_to(place))
    runs = ["--root", "third/mlruns"]
    first, second = degu_commands(
        place, ["runs", "import", foreign, *runs], ["runs", "import", "damaged.zip", "-o", "out", *runs]
    )
    assert first.status == second.status == 2
    assert "evil_module.run" in first.err
    assert "student.weights.h5" in second.err
    assert not (place / "third").exists()
    assert not (place / "out").exists()


def test_row_digests_know_missing_values(place):
    from degu.manifest import changed_rows, row_digests

    data = synthetic(num_train=6, num_valid=5, num_test=5, length=20)
    kept = row_digests(data)
    assert changed_rows(kept, data) == []
    assert kept["train/sequence"].shape == (6,)
    assert kept["train/sequence"].dtype == np.uint64
    gone = data.carve_calibration(0.4)
    parts = {finding.where for finding in changed_rows(kept, gone)}
    assert any(where.startswith("test split") for where in parts)
    assert any(where.startswith("calibration split") for where in parts)
