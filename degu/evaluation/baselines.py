"""Single networks as a study's other estimates of uncertainty: what one member says itself, and with dropout left on.

A baseline is made of a trained ensemble and takes one of its members, so that it costs no training and differs from the
ensemble in nothing but the number of networks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from degu.ensemble import Ensembler, Prediction
from degu.ensemble.outputs import split_columns
from degu.errors import ConfigError
from degu.models.heads import output_columns
from degu.seeds import derive_seed
from degu.train.batches import predict as predict_outputs
from degu.uncertainty import Spread, pooled_std

Predict = Callable[[NDArray], Prediction]

DROPOUT = (
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.SpatialDropout1D,
)


class Baseline(Protocol):
    """A model that can be made of a trained ensemble."""

    def check(self, network: keras.Model) -> None:
        """Raise a `ConfigError` when members like this network, trained or not, cannot serve."""
        ...

    def predictor(self, ensembler: Ensembler, seed: int) -> Predict:
        """Return a function from tokens `(N, L)` to a prediction."""
        ...


class SingleNetwork:
    """One member with the columns that it has itself.

    A Gaussian head gives an aleatoric column, an evidential one also an epistemic column, `beta / (nu (alpha - 1))` as
    a variance.

    Args:
        member: Which, counted from 0.

    References:
        Amini, Schwarting, Soleimany, Rus (2020), "Deep evidential regression", arXiv:1910.02600.
    """

    def __init__(self, member: int = 0) -> None:
        self.member = member

    def check(self, network: keras.Model) -> None:
        """Raise a `ConfigError` when the network predicts means only."""
        if all(column.meaning == "mean" for column in output_columns(network)):
            raise ConfigError(
                "Expected members with an aleatoric or evidential column for the baseline SingleNetwork. Received: "
                "members with means only. Leave it out of evaluation.baselines, or choose another model.head"
            )

    def predictor(self, ensembler: Ensembler, seed: int) -> Predict:
        """Return a function from tokens `(N, L)` to a prediction; such a network needs no seed.

        Raises:
            ConfigError: When there is no such member, or it predicts means only.
        """
        network, spread = _member(ensembler, self.member), _spread(ensembler)
        self.check(network)

        def predict(tokens: NDArray) -> Prediction:
            outputs = predict_outputs(network, tokens)
            mean, aleatoric = split_columns(network, outputs)
            variance = _evidential_variance(network, outputs)
            return Prediction(mean, None if variance is None else spread.from_variance(variance), aleatoric)

        return predict


class MCDropout:
    """One member whose dropout stays on: the mean and the spread of many passes.

    Normalisation layers use their moving averages, as in any prediction. The masks depend on the seed alone.

    Args:
        member: Which member, counted from 0.
        num_samples: Passes, at least 2.

    Raises:
        ConfigError: When there are fewer than two passes.

    References:
        Gal, Ghahramani (2016), "Dropout as a Bayesian approximation: representing model uncertainty in deep learning",
        arXiv:1506.02142.
    """

    def __init__(self, member: int = 0, num_samples: int = 50) -> None:
        if num_samples < 2:
            raise ConfigError(f"Expected num_samples >= 2 for MCDropout. Received: {num_samples}")
        self.member = member
        self.num_samples = num_samples

    def check(self, network: keras.Model) -> None:
        """Raise a `ConfigError` when the network has no dropout."""
        if not _with_dropout(network)[1]:
            raise ConfigError(
                "Expected members with dropout for the baseline MCDropout. Received: members without. Set a dropout "
                "rate (such as model.dropout=0.1), or leave it out of evaluation.baselines"
            )

    def predictor(self, ensembler: Ensembler, seed: int) -> Predict:
        """Return a function from tokens `(N, L)` to a prediction.

        Raises:
            ConfigError: When there is no such member, or it has no dropout.
        """
        network, spread = _member(ensembler, self.member), _spread(ensembler)
        self.check(network)
        noisy, layers = _with_dropout(network)

        def predict(tokens: NDArray) -> Prediction:
            for index, layer in enumerate(layers):
                state = layer.seed_generator.state
                state.assign(np.array([derive_seed(seed, "mc_dropout", index) % 2**31, 0], dtype=state.dtype))
            passes = [split_columns(network, predict_outputs(noisy, tokens)) for _ in range(self.num_samples)]
            means = np.stack([mean for mean, _ in passes])
            noise = [aleatoric for _, aleatoric in passes if aleatoric is not None]
            return Prediction(
                means.mean(axis=0, dtype=np.float64).astype(means.dtype),
                spread(means, axis=0),
                pooled_std(np.stack(noise)) if noise else None,
            )

        return predict


def _member(ensembler: Ensembler, member: int) -> keras.Model:
    if not 0 <= member < ensembler.num_ensemble:
        raise ConfigError(f"Expected a member from 0 to {ensembler.num_ensemble - 1}. Received: {member}")
    return ensembler.load_members()[member]


def _spread(ensembler: Ensembler) -> Spread:
    spread = ensembler.uncertainty_fun
    if not isinstance(spread, Spread):
        raise ConfigError(f"Expected an uncertainty that is a degu.uncertainty.Spread. Received: {spread!r}")
    return spread


class _LeftOn(keras.layers.Wrapper):
    """A dropout layer that a model cannot turn off: Keras passes its own `training` to every layer that takes one."""

    def call(self, inputs: Any) -> Any:
        """Drop values, in prediction too."""
        return self.layer(inputs, training=True)


def _with_dropout(network: keras.Model) -> tuple[keras.Model, list[keras.Layer]]:
    """Return a model that shares the layers of a network and drops values in prediction too, and its dropout layers."""
    found: dict[int, keras.Layer] = {}

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(layer, DROPOUT) or not layer.rate:
            return layer(*args, **kwargs)
        found[id(layer)] = layer
        return _LeftOn(layer)(*args)

    noisy = keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call, recursive=True)
    return noisy, list(found.values())


def _evidential_variance(network: keras.Model, outputs: NDArray) -> NDArray | None:
    """Return the variance of the mean of evidential columns, `(N, K)`; None for another head."""
    places = {(column.meaning, column.target): index for index, column in enumerate(output_columns(network))}
    targets = [target for meaning, target in places if meaning == "nu"]
    if not targets:
        return None
    nu, alpha, beta = (outputs[:, [places[name, target] for target in targets]] for name in ("nu", "alpha", "beta"))
    return beta / (nu * (alpha - 1))
