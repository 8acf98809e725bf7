"""Effects of any number of variants, in chunks."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.encoding import tokenize
from degu.uncertainty import Spread
from degu.variants.effects import Effects, Predict, both_strands, paired_effects
from degu.variants.placement import windows
from degu.variants.sources import Source
from degu.variants.variant import Variant


class Survey(NamedTuple):
    """What a file of variants has in store.

    Attributes:
        scored: Variants with an effect.
        skipped: Variants without one, by the reason.
        repeated: Variants that came before.
    """

    scored: int
    skipped: dict[str, int]
    repeated: int


@dataclass(frozen=True, eq=False)
class Scorer:
    """How variants are scored.

    Attributes:
        predict: From tokens `(N, L)` to a prediction: `ensembler.predict`, or a function that calls
            `distiller.predict_student`.
        length: Letters L that the model takes.
        is_both_strands: Predict every sequence as the mean over its strands.
        confidence_level: Probability of the interval; see `paired_effects`.
        limit: Largest epistemic value that counts as known, `(K,)`; see `range_limit`.
        bound: Unit of the epistemic columns, to bound the uncertainty of a student.
        chunk_size: Variants that are predicted together.
    """

    predict: Predict
    length: int
    is_both_strands: bool = False
    confidence_level: float = 0.95
    limit: ArrayLike | None = None
    bound: Spread | None = None
    chunk_size: int = 4096

    def survey(self, variants: Iterable[Variant], source: Source) -> Survey:
        """Check all variants before any is predicted.

        Raises:
            DataError: When one of them does not fit its sequence.
        """
        skipped: Counter[str] = Counter()
        different: set[int] = set()
        count = 0
        for variant in variants:
            reason = self._reason_to_skip(variant)
            if reason is None:
                windows(variant, source, self.length)
                different.add(hash(variant.trimmed()[:4]))
                count += 1
            else:
                skipped[reason] += 1
        return Survey(count, dict(skipped), count - len(different))

    def stream(self, variants: Iterable[Variant], source: Source) -> Iterator[tuple[list[Variant], Effects]]:
        """Yield variants with their effects, chunk by chunk, in their order; those without an effect are left out.

        Raises:
            DataError: When a variant does not fit its sequence.
        """
        usable = (variant for variant in variants if self._reason_to_skip(variant) is None)
        while chunk := list(itertools.islice(usable, self.chunk_size)):
            pairs = [windows(variant, source, self.length) for variant in chunk]
            ref, alt = (tokenize(list(letters), where="windows") for letters in zip(*pairs, strict=True))
            yield chunk, self.effects(ref, alt)

    def effects(self, ref: NDArray[np.uint8], alt: NDArray[np.uint8]) -> Effects:
        """Return the effects of replacing sequences by others.

        Every different sequence is predicted once, so that equal ones differ by exactly 0.

        Args:
            ref: Tokens `(N, L)`.
            alt: Tokens `(N, L)`.
        """
        predict = both_strands(self.predict) if self.is_both_strands else self.predict
        different, place = np.unique(np.concatenate([ref, alt]), axis=0, return_inverse=True)
        place = place.reshape(-1)
        prediction = predict(different)
        return paired_effects(
            prediction.select(place[: len(ref)]),
            prediction.select(place[len(ref) :]),
            confidence_level=self.confidence_level,
            limit=self.limit,
            bound=self.bound,
        )

    def _reason_to_skip(self, variant: Variant) -> str | None:
        if variant.is_symbolic:
            return "alternative allele not spelled out"
        variant.check_letters()
        trimmed = variant.trimmed()
        if max(len(trimmed.ref), len(trimmed.alt)) > self.length:
            return f"allele longer than the window of {self.length}"
        return None
