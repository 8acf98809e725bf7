"""Random streams that are values, so that one augmentation can serve many independent streams."""

from __future__ import annotations

import keras
from keras import ops

from degu.errors import ConfigError

# Leaves room to count draws upwards without leaving the range of a signed 32-bit integer.
_SEED_LIMIT = 2**30


class SeedStream(keras.random.SeedGenerator):
    """Fresh seeds for the successive draws of one call, from a state of two integers and without a variable.

    Every `keras.random` function takes it as its `seed`. Unlike `keras.random.SeedGenerator` it owns no
    variable: the state may be a traced tensor, one per ensemble member.

    Args:
        state: Tensor (2,) of non-negative 32-bit integers.
    """

    def __init__(self, state: keras.KerasTensor) -> None:  # the parent would create a variable
        self._dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
        self._state = ops.cast(state, self._dtype)
        self._draws = 0

    @classmethod
    def start(cls, seed: int | keras.random.SeedGenerator | keras.KerasTensor) -> SeedStream:
        """Begin a stream.

        Args:
            seed: An integer or a tensor (2,) of non-negative 32-bit integers, which always begin the same
                stream; or a `keras.random.SeedGenerator`, which begins a new one at every call.

        Returns:
            The stream; `seed` itself when it already is one.

        Raises:
            ConfigError: If `seed` is none of these.
        """
        if isinstance(seed, SeedStream):
            return seed
        if isinstance(seed, keras.random.SeedGenerator) or (isinstance(seed, int) and not isinstance(seed, bool)):
            return cls(keras.random.randint((2,), 0, _SEED_LIMIT, seed=seed))
        if getattr(seed, "shape", None) is None or tuple(seed.shape) != (2,):
            raise ConfigError(f"seed: expected an integer, a SeedGenerator or a tensor (2,), received {seed!r}")
        return cls(seed)

    def next(self) -> keras.KerasTensor:
        """Return the seed of the next draw, a tensor (2,)."""
        step = ops.convert_to_tensor([0, self._draws], dtype=self._dtype)
        self._draws += 1
        return ops.add(self._state, step)
