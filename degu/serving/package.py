"""Writes the student of a study as a folder of its own, with a model card and exports for other programs."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import yaml

from degu import __version__
from degu.data import detokenize
from degu.distill import export_student
from degu.distill.targets import StudentColumns
from degu.inference import CALIBRATION
from degu.serving.card import card_text, model_card
from degu.serving.student import NETWORK, StudentFacts, example_columns
from degu.uncertainty import Spread

log = logging.getLogger(__name__)

STUDENT = "student"
"""Folder of the student in that of its study."""

EXAMPLE, REQUIREMENTS = "example.json", "requirements.txt"
_PINNED = ("tensorflow", "keras", "numpy", "scipy", "pandas", "h5py", "scikit-learn", "mlflow")


def package_student(
    study: Path,
    network: keras.Model,
    columns: StudentColumns,
    results: Mapping[str, Any],
    uncertainty_fun: Any,
    example: Any,
) -> Path:
    """Write the student of a finished study as a folder of its own.

    Args:
        study: Folder of the study, with its results and, where it has one, its calibration.
        network: The student.
        columns: Layout of its outputs.
        results: Content of `results.json`.
        uncertainty_fun: The function whose spread the student has learnt.
        example: Tokens `(n, L)` of a few sequences, as an example of input.

    Returns:
        The folder `student`: `student.keras`, `student.json`, `calibration.json`, `model_card.yaml` and `.md`,
        `example.json` and `requirements.txt`.

    Raises:
        ConfigError: When the student is neither a functional nor a sequential network.
    """
    home = study / STUDENT
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    export_student(network, home / NETWORK)
    spread = uncertainty_fun if isinstance(uncertainty_fun, Spread) else None
    arguments = None if spread is None else {"unit": spread.unit, "ddof": spread.ddof, "floor": spread.floor}
    facts = StudentFacts(
        tuple(results["targets"]),
        int(results["data"]["length"]),
        columns.aleatoric,
        arguments,
        results["known_range"].get("student"),
    )
    facts.write(home)
    if (study / CALIBRATION).is_file():
        shutil.copyfile(study / CALIBRATION, home / CALIBRATION)
    card = model_card(facts, results, study, example_columns(facts))
    (home / "model_card.yaml").write_text(yaml.safe_dump(card, sort_keys=False, width=110), encoding="utf-8")
    (home / "model_card.md").write_text(card_text(card), encoding="utf-8")
    (home / EXAMPLE).write_text(json.dumps({"sequence": detokenize(example)}, indent=2) + "\n", encoding="utf-8")
    (home / REQUIREMENTS).write_text("".join(f"{line}\n" for line in requirements()), encoding="utf-8")
    return home


def requirements() -> list[str]:
    """Return what the student needs to answer the same elsewhere, at the versions of here."""
    return [f"degu=={__version__}", *(f"{name}=={metadata.version(name)}" for name in _PINNED)]


def export_saved_model(student_folder: Path, target: Path) -> Path:
    """Write a student as a TensorFlow SavedModel, which TensorFlow alone can load and serve.

    Args:
        student_folder: The folder that `package_student` wrote.
        target: New folder. Its signature `serve` takes `(N, L, 4)` float32, order A, C, G, T, and returns
            `(N, columns)`.

    Returns:
        The folder.
    """
    import degu.models  # noqa: F401  (makes the head layers known to Keras)

    network = keras.models.load_model(student_folder / NETWORK, compile=False, safe_mode=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    network.export(partial, format="tf_saved_model", verbose=False)
    return partial.rename(target)
