"""Members of one architecture, which predict together; the weights of each are read once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import keras
import numpy as np
from numpy.typing import NDArray

from degu.data.row_files import TokenFile
from degu.ensemble.architecture import architecture_digest
from degu.ensemble.inference import Predictor, Weights
from degu.ensemble.member import Member
from degu.train.units import unit_map
from degu.train.weights import load_weights


class Group:
    """Predicts with members of one architecture.

    Args:
        network: A network of the architecture, which members take turns in while their weights are read.

    Attributes:
        network: That network.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        self._weights: dict[str, Weights] = {}

    @cached_property
    def digest(self) -> str:
        """Digest of what the members compute apart from their weights."""
        return architecture_digest(self.network)

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.network)

    def predict(
        self, members: Sequence[Member], digests: Sequence[str], x: NDArray | TokenFile, batch_size: int
    ) -> NDArray:
        """Return every output column of some members in the targets' units, `(M, N, columns)`.

        Weights stay in memory until their file changes or their member is not asked for.

        Args:
            members: Members of this architecture.
            digests: Their digests, as their files are now.
            x: Sequences.
            batch_size: Sequences a batch.

        Raises:
            EnsembleError: When a weight file is of another architecture.
        """
        known = self._weights
        self._weights = {
            digest: known[digest] if digest in known else self._read(member)
            for digest, member in zip(digests, members, strict=True)
        }
        outputs = self._predictor.predict([self._weights[digest] for digest in digests], x, batch_size)
        for values, member in zip(outputs, members, strict=True):
            if member.units is not None:
                factors, shifts = unit_map(self.network, member.units)
                values *= factors.astype(values.dtype)
                values += shifts.astype(values.dtype)
        return outputs

    def _read(self, member: Member) -> Weights:
        load_weights(self.network, member.weights)
        return self._predictor.folded(self.network.get_weights())


def predict_groups(
    groups: Sequence[Group], members: Sequence[Member], digests: Sequence[str], x: NDArray | TokenFile, batch_size: int
) -> NDArray:
    """Return every output column of every member, `(M, N, columns)`; those of one group are predicted together.

    Args:
        groups: The group of each member.
        members: The members, in order.
        digests: Their digests.
        x: Sequences.
        batch_size: Sequences a batch.
    """
    outputs: list[NDArray | None] = [None] * len(members)
    for group in dict.fromkeys(groups):
        places = [place for place, other in enumerate(groups) if other is group]
        own = [members[place] for place in places]
        found = group.predict(own, [digests[place] for place in places], x, batch_size)
        for place, values in zip(places, found, strict=True):
            outputs[place] = values
    return np.stack([values for values in outputs if values is not None])
