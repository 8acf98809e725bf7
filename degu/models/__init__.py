"""Architectures: functions that return an uncompiled `keras.Model`.

Every builder has the signature ``builder(input_shape, num_outputs, *, ..., head=LINEAR)``. The models take
one-hot DNA of shape (batch, length, channels), channels in the order A, C, G, T.

The builder `name` lives in the file ``_name.py`` and is imported on first use, so that importing this package
does not import Keras and a new architecture needs no entry here. The file carries an underscore because a
submodule called `name` would replace the function `name` on the package as soon as anybody imported it.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from degu.errors import nearest

_SUBMODULES = ("blocks", "heads")
_BUILDERS = sorted(module.name[1:] for module in pkgutil.iter_modules(__path__) if module.name.startswith("_"))

__all__ = [*_BUILDERS, *_SUBMODULES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _BUILDERS:
        return globals().setdefault(name, getattr(importlib.import_module(f"{__name__}._{name}"), name))
    raise AttributeError(
        f"degu.models: expected one of {', '.join(__all__)}, received {name!r}.{nearest(name, __all__)}"
    )


def __dir__() -> list[str]:
    return sorted(__all__)
