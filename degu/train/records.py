"""What is known of a trained network, kept beside its weights: whether it is finished, and what it fits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from degu.errors import EnsembleError
from degu.files import write_json
from degu.models.heads import output_columns
from degu.train.weights import SUFFIX, save_weights


@dataclass(frozen=True)
class Checkpoints:
    """How often the state of a training is kept, so that it can go on after an interruption.

    A state is kept at the end of an epoch when both so many epochs and so many seconds have passed since the last one.

    Attributes:
        epochs: Epochs between two states, at least 1.
        seconds: Seconds between two states; 0 for every epoch that `epochs` names.
    """

    epochs: int = 1
    seconds: float = 10.0


@dataclass(frozen=True)
class TrainingRecord:
    """The end of a training, as `<weights>.training.json` holds it.

    Attributes:
        weights: SHA-256 of the weight file, hexadecimal.
        seed: Seed of the training.
        input_shape: Letters L and channels of the network's input; the channels are A, C, G, T.
        columns: Meaning, target and unit of every output column.
        standardized: Whether it learnt standardised targets; it speaks their own units all the same.
        epochs: Numbers of the epochs of its history.
        history: What Keras logged, one list with a value an epoch; None when its training function returned
            something else.
    """

    weights: str
    seed: int
    input_shape: list[int | None]
    columns: list[list[Any]]
    standardized: bool
    epochs: list[int]
    history: dict[str, list[float]] | None

    def restored_history(self) -> keras.callbacks.History | None:
        """Return the Keras history."""
        return None if self.history is None else history_of(self.epochs, self.history)


def record_path(weights: Path) -> Path:
    """Return where the record of a weight file is kept."""
    return weights.with_name(weights.name.removesuffix(SUFFIX) + ".training.json")


def save_trained(model: keras.Model, path: Path, seed: int, standardized: bool, result: Any) -> None:
    """Write the weights of a network whose training has ended, and its record.

    The record is written first and knows the digest of the weights: weights that their record describes are finished,
    whenever the process was killed.

    Args:
        model: The network.
        path: Weight file to write.
        seed: Seed of the training.
        standardized: Whether it learnt standardised targets.
        result: What its training function returned.
    """
    history = result if isinstance(result, keras.callbacks.History) else None

    def write_record(weights: Path) -> None:
        record = TrainingRecord(
            weights=file_digest(weights),
            seed=seed,
            input_shape=list(model.input_shape[1:]),
            columns=[list(column) for column in output_columns(model)],
            standardized=standardized,
            epochs=[] if history is None else list(history.epoch),
            history=None if history is None else plain(history),
        )
        write_json(record_path(path), asdict(record))

    save_weights(model, path, before=write_record)


def read_record(weights: Path) -> TrainingRecord | None:
    """Return the record beside a weight file; None where there is none.

    Raises:
        EnsembleError: When the record cannot be read.
    """
    path = record_path(weights)
    if not path.is_file():
        return None
    try:
        return TrainingRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise EnsembleError(f"Expected {path} to be the record of a training. Received: {error}. Remove it") from error


def finished(weights: Path, seed: int) -> TrainingRecord | None:
    """Return the record of a training that has ended with these weights under this seed; None where there is none."""
    if not weights.is_file():
        return None
    record = read_record(weights)
    is_its = record is not None and record.seed == seed and record.weights == file_digest(weights)
    return record if is_its else None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(history: keras.callbacks.History) -> dict[str, list[float]]:
    """Return a Keras history as plain lists of floats."""
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def history_of(epochs: list[int], values: dict[str, list[float]]) -> keras.callbacks.History:
    """Return a Keras history of plain lists."""
    history = keras.callbacks.History()
    history.epoch = list(epochs)
    history.history = {name: list(series) for name, series in values.items()}
    return history
