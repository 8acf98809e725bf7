"""Freshly initialised networks: every member is built anew under its own seed."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

from degu.errors import EnsembleError
from degu.seeds import seeded

Builder = Callable[[], keras.Model]

_NAMES = "object_name_uids"


def fresh_model(base: keras.Model | Builder, seed: int | None) -> keras.Model:
    """Build a network with new initial values in every layer.

    Keras 3 initialisers are stateless: calling one again returns the same values, and nested models, recurrent cells
    and BatchNormalization have more to reset than a kernel. So nothing is reset; the whole network is built again.

    Args:
        base: A model, whose architecture is copied and whose weights are left alone, or a function without arguments
            that returns a new model.
        seed: Decides the initial values; None leaves them to the global random state.

    Returns:
        An uncompiled model of the same architecture.

    Raises:
        EnsembleError: When a model cannot be rebuilt from its config, or the function returns something else.
    """
    with seeded(seed), _numbered_anew():
        model = _rebuild(base) if isinstance(base, keras.Model) else base()
    if not isinstance(model, keras.Model):
        raise EnsembleError(f"Expected the model builder to return a keras.Model. Received: {type(model).__name__}")
    return model


@contextlib.contextmanager
def _numbered_anew() -> Iterator[None]:
    """Let Keras number the names of layers from the beginning.

    Weight files hold these names. They must not depend on how many networks the process has built before, which an
    interruption or another process for each member would change.
    """
    outside = get_global_attribute(_NAMES, default=defaultdict(int))
    inside: defaultdict[str, int] = defaultdict(int)
    set_global_attribute(_NAMES, inside)
    try:
        yield
    finally:
        # Layers that are added to the network later must not get the name of one that it has.
        counts = {name: max(outside[name], inside[name]) for name in {**outside, **inside}}
        set_global_attribute(_NAMES, defaultdict(int, counts))


def _rebuild(base: keras.Model) -> keras.Model:
    try:
        model = type(base).from_config(base.get_config())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise EnsembleError(
            f"Expected {type(base).__name__} {base.name!r} to have a get_config that it can be rebuilt from. "
            f"Received: {error} Pass a function that returns a new model instead"
        ) from error
    if not model.built:
        if not base.built or base.input_shape is None:
            raise EnsembleError(
                f"Expected the model {base.name!r} to be built. Call it once on a batch, or pass a builder"
            )
        model.build(base.input_shape)
    return model


def check_members_differ(first: keras.Model, second: keras.Model) -> None:
    """Refuse an ensemble whose members start from the same values.

    Args:
        first: Newly built network of one member.
        second: That of another, of the same architecture.

    Raises:
        EnsembleError: When a trainable weight that was drawn at random has the same values in both; a fixed seed in
            an initialiser does that.
    """
    for mine, theirs in zip(first.trainable_weights, second.trainable_weights, strict=True):
        values = keras.ops.convert_to_numpy(mine)
        if _is_drawn(values) and np.array_equal(values, keras.ops.convert_to_numpy(theirs)):
            raise EnsembleError(
                f"Expected members to start from different values. Received: {mine.path!r} is the same in two of them. "
                "Remove the fixed seed from its initialiser"
            )


def _is_drawn(values: np.ndarray) -> bool:
    """Tell a random draw from a pattern of zeros and ones, such as the biases of a recurrent cell."""
    return len(np.unique(values)) > 2
