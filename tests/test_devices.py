"""What a process that computes leaves behind."""

import os
import subprocess
import sys

CODE = """
import tensorflow as tf
from degu.devices import use_device

use_device("cpu")

@tf.function
def doubled(x):
    if tf.reduce_sum(x) > 0:
        x = x + x
    return x

print(int(doubled(tf.constant(2))))
"""


def test_nothing_is_left_in_the_folder_of_temporary_files(tmp_path):
    """AutoGraph, which Keras' models go through, writes code there and would leave its bytecode."""
    script = tmp_path / "script.py"
    script.write_text(CODE)
    place = tmp_path / "temporary"
    place.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"TMPDIR": str(place), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "4\n", done.stderr
    assert list(place.iterdir()) == []
