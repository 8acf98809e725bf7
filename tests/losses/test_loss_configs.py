from pathlib import Path

import hydra.utils
import keras
import pytest
import yaml

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "loss").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_makes_a_loss_and_spells_out_its_arguments(path):
    node = yaml.safe_load(path.read_text())
    loss = hydra.utils.instantiate(node, _convert_="all")
    assert isinstance(loss, keras.losses.Loss)
    if node["_target_"].startswith("degu."):
        own = loss.get_config().keys() - {"name", "reduction"}
        assert node.keys() - {"_target_"} == own
