"""Train members one after the other and side by side with everything on, and print how far their weights are apart.

python equality.py FOLDER PRECISION      (KERAS_BACKEND chooses the backend)
"""

import json
import sys
from functools import partial

import numpy as np

from degu.devices import use_device


def main(folder, precision):
    use_device("cpu", precision=precision)
    from degu import EnsemblerDynamic
    from degu.augment import RandomDeletion, RandomMutation, RandomNoise
    from degu.data import synthetic
    from degu.losses import MaskedMSE
    from degu.models import deepstarr

    splits = synthetic(num_train=661, num_valid=80, num_test=80, length=48)
    data = splits.train.tokens, splits.train.targets
    weights, scores = {}, {}
    for engine in ("serial", "stacked"):
        ensembler = EnsemblerDynamic(partial(deepstarr, (48, 4), 2, width=0.1))
        histories = ensembler.train(
            *data,
            2,
            validation_data=(splits.valid.tokens, splits.valid.targets),
            save_prefix=f"{folder}/{engine}/member",
            augment_list=[RandomDeletion(0, 8), RandomMutation(), RandomNoise()],
            engine=engine,
            standardize=True,
            loss=MaskedMSE(),
            batch_size=64,
            max_epochs=5,
            es_patience=2,
            lr_patience=1,
            finetune_epochs=2,
        )
        weights[engine] = [array for network in ensembler.load_members() for array in network.get_weights()]
        result = ensembler.eval_ensemble(splits.test.tokens, splits.test.targets)
        scores[engine] = [float(value) for value in result.ensemble[0]]
    steps = sum(len(history.epoch) for history in histories) / 2 * 11
    distance = max(
        float(np.linalg.norm(a - b) / np.linalg.norm(a))
        for a, b in zip(weights["serial"], weights["stacked"], strict=True)
        if np.linalg.norm(a) > 0
    )
    sys.stdout.write(json.dumps({"steps": steps, "distance": distance, "mse": scores}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
