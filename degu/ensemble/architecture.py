"""What a network computes apart from its weights, as a digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import keras

from degu.models.heads import output_columns

_PASSING = {"compile_config", "shared_object_id"}


def architecture_digest(model: keras.Model) -> str:
    """Return the SHA-256 of a network's config, output columns and backend, hexadecimal.

    Two builds of one architecture have one digest: the names that Keras counts up are numbered by their place. A
    network that has no config is known by its class and the shapes of its weights.

    Args:
        model: A built network.
    """
    content = {
        "config": _config(model),
        "weights": [[list(weight.shape), str(weight.dtype)] for weight in model.weights],
        "columns": [list(column) for column in output_columns(model)],
        "backend": keras.backend.backend(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()


def _config(model: keras.Model) -> Any:
    try:
        config = keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError, ValueError):
        return f"{type(model).__module__}.{type(model).__qualname__}"
    names: dict[str, str] = {}
    _collect_names(config, names)
    return _renamed(config, names)


def _collect_names(config: Any, names: dict[str, str]) -> None:
    """Number the names in a config in the order in which they are found; that of a precision is no name."""
    if isinstance(config, dict):
        if str(config.get("class_name")).endswith("DTypePolicy"):
            return
        name = config.get("name")
        if isinstance(name, str):
            names.setdefault(name, f"name {len(names)}")
        for value in config.values():
            _collect_names(value, names)
    elif isinstance(config, list | tuple):
        for value in config:
            _collect_names(value, names)


def _renamed(config: Any, names: dict[str, str]) -> Any:
    """Return a config with its names replaced, and without what differs between two builds of one network."""
    if isinstance(config, dict):
        return {key: _renamed(value, names) for key, value in config.items() if key not in _PASSING}
    if isinstance(config, list | tuple):
        return [_renamed(value, names) for value in config]
    return names.get(config, config) if isinstance(config, str) else config
