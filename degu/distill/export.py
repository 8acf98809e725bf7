"""A trained student as one file for prediction."""

from __future__ import annotations

from pathlib import Path

import keras

from degu.errors import EnsembleError
from degu.files import whole
from degu.fused import inference_form


def export_student(student: keras.Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a student in inference form: no normalisation or dropout layers are left, and it answers the same.

    The file is a whole model, which `keras.models.load_model` reads without degu, unless the student itself ends in a
    head layer of degu; `import degu.models` makes these known. It has no optimiser and is not meant to be trained on.

    Args:
        student: A trained student, or any other functional or sequential model.
        path: File to write, `.keras`; folders are made as needed.
        overwrite: Allow replacing a file that exists.

    Returns:
        The file.

    Raises:
        ConfigError: When the student is neither functional nor sequential.
        EnsembleError: When the name does not end in `.keras`, or the file exists.
    """
    target = Path(path)
    if target.suffix != ".keras":
        raise EnsembleError(f"Expected a name that ends in .keras. Received: {target.name}")
    if target.exists() and not overwrite:
        raise EnsembleError(f"Expected no file at {target}. Received: an existing one. Set overwrite=True")
    with whole(target) as partial:
        inference_form(student).save(partial)
    return target
