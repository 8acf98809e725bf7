"""From predictions of both alleles to an effect and its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from degu.data.encoding import reverse_complement
from degu.ensemble.prediction import Prediction
from degu.uncertainty import Spread, pooled_std, total_std

Predict = Callable[[NDArray], Prediction]


class Effects(NamedTuple):
    """Effects of N variants on K targets, each `(N, K)`, in the unit of the targets.

    Attributes:
        ref: Predicted activity with the reference allele.
        alt: Predicted activity with the alternative allele.
        effect: `alt - ref`.
        std: Epistemic standard deviation of the effect; NaN where there are no members to tell it.
        lower: Lower end of the interval around the effect.
        upper: Upper end of it.
        noise_std: Standard deviation of the noise of a measured difference, one measurement of each allele; None where
            the model predicts no noise.
        total_std: Standard deviation of a measured difference, `std` and `noise_std` together; None likewise.
        out_of_range: Whether the model is less sure of either allele than it is of nearly all sequences it knows; None
            where no limit is given.
    """

    ref: NDArray
    alt: NDArray
    effect: NDArray
    std: NDArray
    lower: NDArray
    upper: NDArray
    noise_std: NDArray | None
    total_std: NDArray | None
    out_of_range: NDArray | None


def paired_effects(
    ref: Prediction,
    alt: Prediction,
    *,
    confidence_level: float = 0.95,
    limit: ArrayLike | None = None,
    bound: Spread | None = None,
) -> Effects:
    """Return effects with their own uncertainty.

    Members mostly agree on what a variant changes even where they disagree on the activity, so the uncertainty is the
    standard deviation (ddof 1) over members of `alt - ref`, and not made of those of the two predictions. The interval
    is `effect ± t std sqrt(1 + 1/M)` with Student's t of M - 1 degrees of freedom: with normally distributed
    members it covers the effect that one further, equally trained member predicts. It says nothing of an error that
    all members share, and a measured effect has noise on top.

    A student has no members. Its effect has no uncertainty (NaN) unless `bound` is given: whatever the correlation, a
    difference has at most the sum of the two standard deviations. That bound is wide, the more so the smaller the
    effect, and its interval uses the normal quantile.

    Args:
        ref: Prediction with the reference alleles.
        alt: Prediction with the alternative alleles, in the same order.
        confidence_level: Probability of the interval, between 0 and 1.
        limit: Largest epistemic value that counts as known, `(K,)`; see `range_limit`.
        bound: Unit of the epistemic columns, to bound the uncertainty of a model without members.

    Raises:
        ValueError: When `confidence_level` is outside its range, or a bound or limit asks for epistemic columns that
            are not there.
    """
    if not 0 < confidence_level < 1:
        raise ValueError(f"Expected confidence_level between 0 and 1. Received: {confidence_level!r}")
    effect = alt.mean.astype(np.float64) - ref.mean
    tail = (1 + confidence_level) / 2
    if ref.members is not None and alt.members is not None:
        std, reach = _of_members(alt.members.astype(np.float64) - ref.members, tail)
    elif bound is not None:
        std = bound.to_std(_epistemic(ref)) + bound.to_std(_epistemic(alt))
        reach = stats.norm.ppf(tail) * std
    else:
        std = reach = np.full_like(effect, np.nan)
    noise = None if ref.aleatoric is None or alt.aleatoric is None else np.hypot(ref.aleatoric, alt.aleatoric)
    return Effects(
        ref.mean,
        alt.mean,
        effect,
        std,
        effect - reach,
        effect + reach,
        noise,
        None if noise is None else total_std(std, noise),
        None if limit is None else np.maximum(_epistemic(ref), _epistemic(alt)) > np.asarray(limit),
    )


def _of_members(differences: NDArray, tail: float) -> tuple[NDArray, NDArray]:
    """Return standard deviation and half width of the interval of effects `(M, N, K)` of members."""
    count = len(differences)
    if count < 2:
        unknown = np.full(differences.shape[1:], np.nan)
        return unknown, unknown
    std = differences.std(axis=0, ddof=1)
    return std, stats.t.ppf(tail, count - 1) * math.sqrt(1 + 1 / count) * std


def _epistemic(prediction: Prediction) -> NDArray:
    if prediction.epistemic is None:
        raise ValueError("Expected a model with an epistemic column. Received: one without")
    return prediction.epistemic


def range_limit(epistemic: ArrayLike, quantile: float = 0.99) -> NDArray:
    """Return the limit above which a sequence counts as outside of what a model knows.

    Args:
        epistemic: Epistemic column of sequences that it should know, such as the validation split, `(N, K)`. Members
            have fitted the training split, which makes its values too small.
        quantile: Part of these sequences that lies within the limit.

    Returns:
        `(K,)`, in the unit of `epistemic`.

    Raises:
        ValueError: When `quantile` is outside (0, 1].
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"Expected quantile above 0 and at most 1. Received: {quantile!r}")
    return np.quantile(np.asarray(epistemic), quantile, axis=0)


def both_strands(predict: Predict) -> Predict:
    """Return a function that predicts a sequence as the mean over both of its strands, member by member.

    Args:
        predict: From tokens `(N, L)` to a prediction.

    Returns:
        The same with averaged means and members, the square root of the mean aleatoric variance, and the larger
        epistemic value of the two strands.
    """

    def averaged(tokens: NDArray) -> Prediction:
        forward, reverse = predict(tokens), predict(reverse_complement(tokens))
        return Prediction(
            _merged(np.mean, forward.mean, reverse.mean),
            _merged(np.max, forward.epistemic, reverse.epistemic),
            _merged(pooled_std, forward.aleatoric, reverse.aleatoric),
            _merged(np.mean, forward.members, reverse.members),
        )

    return averaged


def _merged(merge: Callable[..., Any], forward: NDArray | None, reverse: NDArray | None) -> Any:
    return None if forward is None or reverse is None else merge(np.stack([forward, reverse]), axis=0)
