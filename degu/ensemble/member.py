"""One trained network of an ensemble, and its weights on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from degu.data.scaling import TargetScaler
from degu.train.network import read_units


@dataclass(frozen=True)
class Member:
    """A trained network: where its weights are, and the seed that made them.

    Attributes:
        weights: Path of the weight file.
        seed: The seed it was built and trained under; None when it was trained elsewhere.
        units: The map from its outputs to the targets' units; None when it speaks them already.
        number: Number that it was trained under, which decides its architecture in a mixed ensemble; None for its
            place among the members.
    """

    weights: Path
    seed: int | None = None
    units: TargetScaler | None = None
    number: int | None = None

    @classmethod
    def at(cls, weights: str | Path) -> Member:
        """Return the member whose weights were written by another script."""
        path = Path(weights)
        return cls(path, units=read_units(path))

    @property
    def digest(self) -> str:
        """SHA-256 of the weight file, as it is now, and of the units, hexadecimal."""
        units = "" if self.units is None else repr(self.units.to_dict())
        return hashlib.sha256(self.weights.read_bytes() + units.encode()).hexdigest()
