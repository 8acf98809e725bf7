from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from keras import ops
from omegaconf import OmegaConf

from degu.augment import RandomSubset

FILES = sorted((Path(__file__).parents[2] / "conf" / "augment").glob("*.yaml"))


def test_the_lists_are_found():
    assert {"none", "evoaug_deepstarr", "evoaug_readme", "evoaug_tf", "reverse_complement"} <= {
        file.stem for file in FILES
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_list_makes_a_subset_that_acts(file):
    config = instantiate(OmegaConf.load(file), _convert_="all")
    assert set(config) == {"augment_list", "max_augs_per_seq", "hard_aug", "per"}
    subset = RandomSubset(
        config["augment_list"], config["max_augs_per_seq"], hard=config["hard_aug"], per=config["per"], seed=0
    )
    x = np.eye(4, dtype="float32")[np.random.default_rng(0).integers(0, 4, (64, 60))]
    output = ops.convert_to_numpy(subset(x, training=True))
    assert output.shape == x.shape
    changed = (output != x).any(axis=(1, 2)).mean()
    assert changed == 0 if file.stem == "none" else changed > 0.3
