import json
import subprocess
import sys

import keras
import pytest

from degu.ensemble.architecture import architecture_digest
from degu.models import dream_rnn, small_cnn
from degu.models.heads import Gaussian

PROBE = """
import keras
from degu.ensemble.architecture import architecture_digest
from degu.models import small_cnn
print(architecture_digest(small_cnn((40, 4), 2)))
"""


@pytest.mark.parametrize("build", [small_cnn, dream_rnn])
def test_two_builds_of_one_architecture_have_one_digest(build):
    assert architecture_digest(build((40, 4), 2)) == architecture_digest(build((40, 4), 2))


def test_it_is_the_same_in_another_process():
    small_cnn((40, 4), 2)
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == architecture_digest(small_cnn((40, 4), 2))


def test_weights_do_not_count_and_a_compiled_network_is_the_same():
    model = small_cnn((40, 4), 2)
    before = architecture_digest(model)
    model.set_weights([values + 1 for values in model.get_weights()])
    model.compile("adam", "mse")
    assert architecture_digest(model) == before


def test_layers_columns_shapes_and_precision_count():
    def one(units=2, activation="linear", dtype="float32", rate=0.1):
        inputs = keras.Input((40, 4))
        x = keras.layers.Dropout(rate)(keras.layers.Flatten()(inputs))
        return keras.Model(inputs, keras.layers.Dense(units, activation, dtype=dtype)(x))

    models = [one(), one(3), one(activation="tanh"), one(dtype="mixed_bfloat16"), one(rate=0.2)]
    models += [small_cnn((40, 4), 4), small_cnn((40, 4), 2, head=Gaussian()), small_cnn((41, 4), 4)]
    assert len({architecture_digest(model) for model in models}) == len(models)


def test_a_network_without_a_config_is_known_by_its_class_and_weights():
    class Own(keras.Model):
        def __init__(self, size):
            super().__init__()
            self.dense = keras.layers.Dense(size)
            self.dense.build((None, 4))

        def get_config(self):
            raise NotImplementedError

        def call(self, x):
            return self.dense(x)

        @property
        def output_shape(self):
            return (None, self.dense.units)

    digests = [architecture_digest(Own(size)) for size in (2, 2, 3)]
    assert digests[0] == digests[1] != digests[2]
    assert json.dumps(digests)
