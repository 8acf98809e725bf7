from __future__ import annotations

import gzip
import inspect
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

import degu.data
from degu.data import Splits, lac_promoter, read_table

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "conf" / "data").glob("*.yaml"))
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def lac() -> Splits:
    return lac_promoter()


def test_lac_promoter_has_the_published_rows(lac: Splits) -> None:
    assert [len(split) for _, split in lac.items()] == [30516, 10067, 9935]
    assert (lac.length, lac.target_names) == (75, ("mean_bin",))
    for _, split in lac.items():
        assert split.targets.min() == 0
        assert split.targets.max() == 9


def test_lac_promoter_rows_are_as_in_the_file(lac: Splits) -> None:
    file = resources.files("degu.data") / "files" / "lac_promoter.tsv.gz"
    second = gzip.decompress(file.read_bytes()).decode().splitlines()[1].split("\t")

    assert second[1] == "train"
    assert degu.data.detokenize(lac.train.tokens[:1]) == [second[0]]
    assert lac.train.targets[0, 0] == np.float32(second[2])
    assert lac.train.ids[0] == "train-row2"


def test_lac_promoter_comes_with_its_licence() -> None:
    text = (resources.files("degu.data") / "files" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for part in ("10.1073/pnas.1004290107", "Ammar Tareen, Justin B. Kinney", "Permission is hereby granted"):
        assert part in text


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_config_names_a_public_callable_and_its_arguments(config: Path) -> None:
    node = OmegaConf.to_container(OmegaConf.load(config))
    assert isinstance(node, dict)
    module, name = str(node.pop("_target_")).rsplit(".", 1)
    parameters = inspect.signature(getattr(degu.data, name)).parameters

    assert module == "degu.data"
    assert name in degu.data.__all__
    assert set(node) <= set(parameters)
    assert config.read_text().startswith("# ")


@pytest.mark.parametrize("name", ["synthetic", "table"])
def test_configs_that_spell_out_defaults_agree_with_the_code(name: str) -> None:
    node = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "data" / f"{name}.yaml"))
    assert isinstance(node, dict)
    function = getattr(degu.data, str(node.pop("_target_")).rsplit(".", 1)[1])
    parameters = inspect.signature(function).parameters
    required = {"path", "targets"} & set(parameters)

    assert set(node) == set(parameters)
    assert {key: node[key] for key in node if key not in required} == {
        key: parameter.default for key, parameter in parameters.items() if key not in required
    }


def test_lentimpra_joint_has_the_documented_rows() -> None:
    path = SHARED / "lentimpra_joint" / "lentimpra_joint.tsv.gz"
    if not path.is_file():
        pytest.skip("the shared lentiMPRA table is not on this machine")
    targets = ["HepG2_log2FC", "K562_log2FC", "WTC11_log2FC"]
    splits = read_table(path, targets=targets, id="name")

    assert [len(split) for _, split in splits.items()] == [45581, 5697, 5697]
    assert splits.length == 230
    np.testing.assert_allclose(splits.train.targets[0], [-1.619, -1.524, -1.949], rtol=1e-6)


def test_crx_retina_where_and_replicates() -> None:
    path = SHARED / "crx_retina" / "crx_retina.tsv.gz"
    if not path.is_file():
        pytest.skip("the shared CRX retina table is not on this machine")
    splits = read_table(path, targets=["activity_log2"], target_std=["log2_sd"], id="label", where={"recommended": 1})

    assert [len(split) for _, split in splits.items()] == [22964, 3413, 12198]
    assert splits.train.target_std is not None
    np.testing.assert_allclose(splits.train.target_std[0], [0.27316], rtol=1e-6)


def test_importing_the_data_floor_imports_no_framework() -> None:
    code = (
        "import sys, degu.data\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'mlflow', 'hydra', 'omegaconf'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
