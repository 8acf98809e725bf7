"""`degu attribute` and `degu variants` on the folder of a study, and how far it says that it can be trusted."""

import csv
import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import yaml

from degu.cli import main
from degu.data import detokenize, synthetic

DATA = {"num_train": 60, "num_valid": 50, "num_test": 80, "length": 40}
TINY = [
    "experiment=smoke",
    *(f"data.{key}={value}" for key, value in DATA.items()),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2"),
    *("trainer.max_epochs=2", "distill.trainer.max_epochs=2"),
    *("evaluation.uncertainty.num_resamples=3", "evaluation.attribution.num_sequences=2"),
]
CODE = "import json, sys; from degu.cli import main; print([main(line) for line in json.loads(sys.argv[1])])"


@pytest.fixture(scope="module")
def study(degu_run):
    (found,) = degu_run(*TINY)
    return found


@pytest.fixture(scope="module")
def test_split():
    return synthetic(**DATA).test


@pytest.fixture(scope="module")
def place(study, test_split, tmp_path_factory):
    """A folder where all commands have run, in one process."""
    folder = tmp_path_factory.mktemp("here")
    letters = detokenize(test_split.tokens)
    lines = [f"{row}\t4\t{row[3]}\t{'ACGT'[('ACGT'.index(row[3]) + 1) % 4]}" for row in letters]
    (folder / "v.tsv").write_text("\n".join(["sequence\tposition\tref\talt", *lines]) + "\n")
    (folder / "v.vcf").write_text(
        f"#CHROM\tPOS\tID\tREF\tALT\nchr1\t25\t.\t{letters[0][24]}\tN\nchr1\t3\t.\tN\t<DEL>\n"
    )
    (folder / "genome.fa").write_text(f">chr1\n{letters[0]}\n>chr2\n{letters[1]}\n")
    at = str(study.folder)
    commands = [
        ["variants", at, "v.tsv", "--one-based", "--device", "cpu"],
        ["variants", at, "v.tsv", "--one-based", "--model", "student", "-o", "student.csv", "--both-strands"],
        ["variants", at, "v.vcf", "--fasta", "genome.fa", "-o", "vcf.tsv.gz"],
        ["attribute", at, "--num-sequences", "3", "--logos", "1"],
        [
            *("attribute", at, "--sequences", "genome.fa", "--model", "student", "--column", "epistemic", "-o", "maps"),
            *("--method", "expected_gradients", "--num-references", "2", "--target", "activity_1", "--logos", "0"),
        ],
        ["attribute", at, "--target", "activity_2"],
        ["attribute", at, "--sequences", "v.tsv", "--column", "aleatoric"],
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    before = sorted(path.name for path in (study.folder / "predictions").iterdir())
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(commands)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0, 0, 2, 2]", done.stderr
    assert "Traceback" not in done.stderr
    assert before == sorted(path.name for path in (study.folder / "predictions").iterdir())
    return folder, [json.loads(line) for line in done.stdout.splitlines()[:-1]], done.stderr


def rows(path, delimiter="\t"):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_reference_predictions_of_variants_are_those_of_the_study(study, place):
    folder, summaries, _ = place
    assert summaries[0] == {"output": "v.effects.tsv", "scored": 80, "skipped": {}, "repeated": 0}
    effects = rows(folder / "v.effects.tsv")
    with np.load(study.folder / "evaluation" / "test.npz") as arrays:
        for column, target in enumerate(("activity_0", "activity_1")):
            reference = [float(row[f"{target}_ref"]) for row in effects]
            np.testing.assert_allclose(reference, arrays["ensemble_mean"][:, column], rtol=1e-3, atol=1e-4)
            # what the limit is for: 99 of 100 sequences like these are known
            assert np.mean([row[f"{target}_out_of_range"] == "true" for row in effects]) < 0.2
    assert {float(row["activity_0_std"]) > 0 for row in effects} == {True}


def test_a_student_bounds_the_deviation_of_its_effects(place):
    folder, _, _ = place
    effects = rows(folder / "student.csv", ",")
    for row in effects:
        low, effect, high, std = (float(row[f"activity_1_{kind}"]) for kind in ("lower", "effect", "upper", "std"))
        assert high - effect == pytest.approx(1.96 * std, rel=1e-2)
        assert effect - low == pytest.approx(1.96 * std, rel=1e-2)


def test_variants_of_a_genome(place):
    folder, summaries, errors = place
    assert summaries[2] == {
        "output": "vcf.tsv.gz",
        "scored": 1,
        "skipped": {"alternative allele not spelled out": 1},
        "repeated": 0,
    }
    assert "Left out 1 variant(s): alternative allele not spelled out" in errors
    assert (folder / "vcf.tsv.gz").is_file()


def test_maps_of_the_most_active_sequences_stand_in_the_studys_folder(study, place, test_split):
    home = study.folder / "attribution" / "ensemble_saliency_mean"
    for column in (0, 1):
        folder = home / f"activity_{column}"
        chosen = np.argsort(-test_split.targets[:, column], kind="stable")[:3]
        with h5py.File(folder / "attributions.h5") as file:
            assert file["ids"].asstr()[:].tolist() == test_split.ids[chosen].tolist()
            np.testing.assert_array_equal(file["raw/seq"][:].argmax(axis=1), test_split.tokens[chosen])
            np.testing.assert_allclose(file["shap/seq"][:].mean(axis=1), 0, atol=1e-6)
        contributions = rows(folder / "contributions.tsv")
        assert len(contributions) == 3 * 40
        assert max(float(row["spread"]) for row in contributions) > 0
        assert [path.name for path in folder.glob("*.png")] == [f"logo_activity_{column}_0.png"]


def test_maps_of_named_sequences_and_their_references(place, test_split):
    folder = place[0] / "maps" / "activity_1"
    assert [path.name for path in (place[0] / "maps").iterdir()] == ["activity_1"]
    with h5py.File(folder / "attributions.h5") as file:
        assert file["ids"].asstr()[:].tolist() == ["chr1", "chr2"]
        np.testing.assert_array_equal(file["raw/seq"][:].argmax(axis=1), test_split.tokens[:2])
    with np.load(folder / "references.npz") as references:
        assert references["tokens"].shape == (2, 2, 40)
    assert "spread" not in rows(folder / "contributions.tsv")[0]


def test_mistakes_are_told_in_one_sentence(place):
    errors = [line for line in place[2].splitlines() if line.startswith("degu: ")]
    assert errors[0].startswith("degu: There is no target 'activity_2'. Did you mean 'activity_")
    assert errors[1].startswith("degu: Expected a column for target 0")


@pytest.mark.parametrize("verb", [["attribute"], ["variants", "v.tsv"]])
def test_a_folder_without_a_study_is_refused(tmp_path, monkeypatch, capsys, verb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.tsv").write_text("sequence\tposition\tref\talt\n")
    name, *rest = verb
    assert main([name, str(tmp_path), *rest]) == 2
    assert "expected the output folder of a study, with config.yaml" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("node", "target"),
    [
        ("model", "os.system"),
        ("uncertainty", "degu.provenance.subprocess.run"),
        ("evaluation", "builtins.exec"),
        ("model", "nosuchpackage.model"),
        ("model", "keras.models.load_model"),
        ("model", "degu.models.heads.keras.models.load_model"),
        ("data", "degu.recording.write_text"),
        ("data", "degu.dataset"),
    ],
)
def test_a_config_with_other_code_is_refused_and_the_code_not_imported(study, tmp_path, node, target):
    from degu.errors import ConfigError
    from degu.trained import load_study

    for name in ("config.yaml", "results.json"):
        shutil.copy(study.folder / name, tmp_path)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config[node]["_target_"] = target
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    before = set(sys.modules)
    with pytest.raises(
        ConfigError, match=rf"from the parts of degu, .*Received: {target}, other code|{target} to be defined there"
    ):
        load_study(tmp_path)
    assert not {"nosuchpackage", "degu.dataset"} & (set(sys.modules) - before)


def test_missing_weights_are_named(study, tmp_path):
    from degu.errors import DataError
    from degu.trained import load_study

    for name in ("config.yaml", "results.json"):
        shutil.copy(study.folder / name, tmp_path)
    with pytest.raises(DataError, match=r"member_0.weights.h5: expected a file of a finished study"):
        load_study(tmp_path, device="cpu")


def test_study_measures_how_far_it_can_be_trusted(study):
    curves = json.loads((study.folder / "evaluation" / "curves.json").read_text())
    assert curves.keys() >= {"calibration", "coverage", "sparsification", "shift", "consistency", "conformal"}
    assert curves["rows"] == {"calibrated": 40, "evaluated": 40}
    assert [row["set"] for row in curves["shift"][::6]] == [
        *("unshifted", "mutated", "evolved", "shuffled", "dinucleotide_shuffled", "motif_destroyed"),
    ]
    assert {row["row"] for row in curves["consistency"]} == {"single", "single_left_out", "student"}
    methods = {row["method"] for row in curves["conformal"]}
    # 13 rows a bin are too few for 95 %
    assert max(row["level"] for row in curves["conformal"] if row["method"] == "conformal_mondrian") < 0.95
    for key in (
        "test/uncertainty_epistemic/crps/student_minus_ensemble/activity_0",
        "test/uncertainty_total_calibrated/nll_low/student/activity_1",
        "test/shift/mutated/epistemic_auroc/student/mean",
        "test/attribution/rmse/student/mean",
        *(f"test/{method}/coverage_80/ensemble/mean" for method in methods),
    ):
        assert key in study.metrics
    results = json.loads((study.folder / "results.json").read_text())
    assert results["targets"] == ["activity_0", "activity_1"]
    assert results["known_range"].keys() == {"ensemble", "student"}
