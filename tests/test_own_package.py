"""The example of a lab's own package: it fits degu's interfaces, and an installed copy runs a study."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from degu.data import detokenize

EXAMPLE = Path(__file__).parents[1] / "examples" / "mylab"


@pytest.fixture
def mylab(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        del sys.modules[name]


def counts(path, rows=60, length=40):
    """A table of counts: sequences with more G and C have more RNA."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (rows, length))
    dna = rng.integers(20, 200, rows)
    dna[0] = 3
    rna = (dna * 2.0 ** (4 * np.isin(tokens, (1, 2)).mean(axis=1) - 2)).round().astype(int)
    lines = zip(detokenize(tokens), dna, rna, strict=True)
    path.write_text("\n".join(["sequence\tdna\trna", *(f"{text}\t{a}\t{b}" for text, a, b in lines)]) + "\n")


def test_every_config_of_the_package_can_be_composed_and_built(mylab, tmp_path):
    from hydra import compose, initialize_config_dir

    from degu.config import build, check_targets, config_dir
    from degu.precheck import check_trainings

    counts(tmp_path / "counts.tsv")
    own = [
        f"hydra.searchpath=[file://{EXAMPLE / 'mylab' / 'conf'}]",
        *("experiment=mylab", f"data.path={tmp_path / 'counts.tsv'}", "model.filters=4", "ensemble.num_ensemble=2"),
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("config", overrides=own)
    check_targets(config, None)
    splits = build(config.data)
    assert [len(split) for _, split in splits.items()] == [47, 6, 6]
    assert splits.target_names == ("log2_rna_per_dna",)
    check_trainings(config, splits, config.ensemble.num_ensemble)


def test_the_loss_is_that_of_keras_and_leaves_out_what_is_missing(mylab):
    import keras
    from mylab.losses import Huber

    rng = np.random.default_rng(0)
    true, predicted = rng.normal(0, 2, (2, 50, 3)).astype(np.float32)
    expected = float(keras.losses.Huber(delta=0.7)(true, predicted))
    assert float(Huber(delta=0.7)(true, predicted)) == pytest.approx(expected, rel=1e-5)
    true[:, 2] = np.nan
    expected = float(keras.losses.Huber(delta=0.7)(true[:, :2], predicted[:, :2]))
    assert float(Huber(delta=0.7)(true, predicted)) == pytest.approx(expected, rel=1e-5)
    assert Huber.from_config(Huber(delta=0.7).get_config()).delta == 0.7


def test_the_augmentation_hides_one_stretch_in_training_only(mylab):
    from mylab.augment import RandomMask

    from degu.data import one_hot

    x = one_hot(np.random.default_rng(0).integers(0, 4, (64, 30)))
    layer = RandomMask(length=7, seed=0)
    np.testing.assert_array_equal(layer(x), x)
    hidden = np.asarray(layer(x, training=True)).sum(axis=-1) == 0
    assert (hidden.sum(axis=1) == 7).all()
    starts = hidden.argmax(axis=1)
    assert all(row[start : start + 7].all() for row, start in zip(hidden, starts, strict=True))
    assert {0, 23} <= set(starts.tolist()) | {0, 23}
    assert len(set(starts.tolist())) > 10


def test_counts_that_are_none_are_named(mylab, tmp_path):
    from mylab.data import barcode_counts

    from degu.errors import DataError

    path = tmp_path / "counts.tsv"
    path.write_text("sequence\tdna\trna\nACGT\tmany\t3\n")
    with pytest.raises(DataError, match=r"counts.tsv: expected counts .* 'many'"):
        barcode_counts(path)
    path.write_text("sequence\tdna\trna\nACGT\t30\t3\n")
    with pytest.raises(DataError, match="at least 10 sequences with 10 DNA counts, received 1"):
        barcode_counts(path)


@pytest.mark.slow
def test_an_installed_copy_runs_a_study(tmp_path):
    site, place = tmp_path / "site", tmp_path / "here"
    place.mkdir()
    install = [*(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-input")]
    subprocess.run([*install, "--disable-pip-version-check", "--target", str(site), str(EXAMPLE)], check=True)
    counts(place / "counts.tsv", rows=200)
    paths = os.pathsep.join([str(site), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    where = subprocess.run([sys.executable, "-m", "mylab"], env=environment, capture_output=True, text=True, check=True)
    code = "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))"
    settings = [
        *("experiment=mylab", "data.path=counts.tsv", "tracking=none", "device=cpu", "ensemble.num_ensemble=2"),
        *("trainer.max_epochs=2", "trainer.finetune_epochs=1", "distill.trainer.max_epochs=2"),
    ]
    command = [sys.executable, "-c", code, "run", "--config-dir", where.stdout.strip(), *settings]
    refused = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--allow mylab" in refused.stderr
    done = subprocess.run(
        [*command, "--allow", "mylab"], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    study = Path(json.loads(done.stdout.splitlines()[-1])["output_dir"])
    assert "mylab.models.dilated_cnn" in (study / "config.yaml").read_text()
    (place / "new.fa").write_text(f">a\n{'ACGT' * 10}\n")
    predict = [sys.executable, "-c", code, "predict", str(study), "new.fa", "--device", "cpu", "--allow", "mylab"]
    done = subprocess.run(predict, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, row = (place / "new.predictions.tsv").read_text().splitlines()
    assert header.split("\t")[:3] == ["id", "log2_rna_per_dna_mean", "log2_rna_per_dna_epistemic"]
    assert row.startswith("a\t")
