"""Weight files: written whole or not at all, read whatever Keras wrote them."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras

from degu.errors import EnsembleError
from degu.files import whole

SUFFIX = ".weights.h5"


def save_weights(model: keras.Model, path: Path, before: Callable[[Path], None] | None = None) -> None:
    """Write weights, whole or not at all.

    Args:
        model: Any Keras model.
        path: File to write.
        before: Called with the complete file before it has its name.
    """
    with whole(path) as partial:
        model.save_weights(partial)
        if before is not None:
            before(partial)


def load_weights(model: keras.Model, path: Path) -> None:
    """Load weights into a model, whatever the file is called.

    Understands Keras 3 weight files (`.weights.h5`, or the same content under another name) and Keras 2 HDF5 files
    of weights or of a whole model.

    Raises:
        EnsembleError: When the file is missing, is not HDF5 or holds another architecture.
    """
    if not path.is_file():
        raise EnsembleError(f"Expected member weights at {path}. Received: no such file")
    try:
        with _named_for_keras(path) as file, warnings.catch_warnings():
            # Keras warns when it leaves layers at their initial values.
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            _check_size(model, file)
            model.load_weights(file)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise EnsembleError(
            f"Expected {path} to hold weights of model {model.name!r} ({model.count_params()} parameters). "
            f"Received: {error}"
        ) from error


@contextlib.contextmanager
def _named_for_keras(path: Path) -> Iterator[Path]:
    """Keras picks its reader by file name; give it the name that fits the content."""
    with h5py.File(path, "r") as file:
        is_keras2 = "layer_names" in file.attrs or "model_weights" in file
    suffix = ".h5" if is_keras2 else SUFFIX
    fits = path.name.endswith(".h5") and path.name.endswith(SUFFIX) != is_keras2
    if fits:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"member{suffix}"
        link.symlink_to(path.resolve())
        yield link


def _check_size(model: keras.Model, path: Path) -> None:
    """Refuse a file of a larger network, which Keras would load in part and without a word."""
    if not path.name.endswith(SUFFIX):
        return
    sizes = []

    def count(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer/") and "seed_generator" not in name:
            sizes.append(item.size)

    with h5py.File(path, "r") as file:
        file.visititems(count)
    if sum(sizes) > model.count_params():
        raise ValueError(f"{sum(sizes)} values")


def refuse_overwrite(paths: list[Path], overwrite: bool) -> None:
    """Check before training that its results have a place.

    Raises:
        EnsembleError: When a file exists and `overwrite` is False, or when a folder cannot be written.
    """
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        raise EnsembleError(
            f"Expected no file at {existing[0]}. Received: an existing one, and mixing two ensembles under one prefix "
            "is never wanted. Use another save_prefix, or overwrite=True"
        )
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise EnsembleError(f"Expected a folder that can be written at {folder}. Received: no permission")
