"""The inference form: a model for prediction alone, made of fewer plain layers with weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from degu.augment import Augmentation
from degu.errors import ConfigError
from degu.fused.chains import Chain, find_chains
from degu.fused.folds import Copied, Folded, Origin
from degu.fused.graph import Graph, functional_copy, is_functional
from degu.fused.training import TrainingForm

FOLDING = (keras.layers.Conv1D, keras.layers.Dense, keras.layers.DepthwiseConv1D)
"""Layers that a normalisation behind them can become part of."""

IDLE = (
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
)
"""Layers that return their input when a model predicts."""


def inference_form(model: keras.Model) -> keras.Model:
    """Return a new model that predicts what `model` predicts, in less time.

    Batch normalisation becomes part of the convolution or dense layer before it, max pooling comes before an activation
    that never decreases, and layers that act in training only are left out. Where `model` has no layers but Keras' own,
    so has the form, and its file loads without degu.

    Args:
        model: A built functional or sequential model, or a training form.

    Raises:
        ConfigError: If the model is of another kind.
    """
    return Folding(model).form


def folded_weights(model: keras.Model) -> list[NDArray]:
    """Return the weights of `inference_form(model)` for the present weights of `model`.

    For many networks of one architecture, make one `Folding` and ask it for the weights of each.

    Args:
        model: As in `inference_form`.
    """
    return Folding(model).weights(model.get_weights())


class Folding:
    """How the weights of an architecture become those of its inference form.

    Args:
        model: A built functional or sequential model, or a training form.

    Attributes:
        form: The inference form: a new model, at first with the weights of `model`.

    Raises:
        ConfigError: If the model is of another kind.

    Example:
        >>> inputs = keras.Input((8, 4))
        >>> outputs = keras.layers.BatchNormalization()(keras.layers.Conv1D(3, 5)(inputs))
        >>> folding = Folding(keras.Model(inputs, outputs))
        >>> [type(layer).__name__ for layer in folding.form.layers]
        ['InputLayer', 'Conv1D']
    """

    def __init__(self, model: keras.Model) -> None:
        model = _source(model)
        if not is_functional(model):
            raise ConfigError(
                "Expected a built functional or sequential Keras model, whose layers are known. "
                f"Received: {type(model).__name__} {model.name!r}"
            )
        copies = _Copies()
        self.form = copies.model(model)
        origins = copies.origins({id(variable): index for index, variable in enumerate(model.weights)})
        self._origins = [origins[id(variable)] for variable in self.form.weights]
        self.form.set_weights(self.weights(model.get_weights()))

    def weights(self, weights: Sequence[NDArray]) -> list[NDArray]:
        """Return the weights of the form for weights of the architecture.

        Args:
            weights: In the order of the model's `get_weights`; all may have a leading axis of members, which is kept.
        """
        return [origin(weights) for origin in self._origins]


class _Copies:
    """New layers of a form, and what each was made of."""

    def __init__(self) -> None:
        self._copies: dict[int, Any] = {}
        self._of_layers: list[tuple[keras.layers.Layer, keras.layers.Layer]] = []
        self._of_chains: list[tuple[keras.layers.Layer, Chain]] = []

    def model(self, model: keras.Model) -> keras.Model:
        """Return the form of a functional or sequential model, with arbitrary weights."""
        graph = Graph(model)
        calls: dict[int, Callable[..., Any]] = {id(layer): _pass_on for layer in _idle_layers(graph)}
        for chain in find_chains(graph, FOLDING):
            calls |= self._calls(chain)
        return keras.models.clone_model(
            functional_copy(model), clone_function=lambda layer: calls.get(id(layer)) or self._copy(layer)
        )

    def origins(self, indices: dict[int, int]) -> dict[int, Origin]:
        """Return where every weight of the new layers comes from, by the id of its variable.

        Args:
            indices: Position of each variable among the weights of the source, by the variable's id.
        """
        found: dict[int, Origin] = {}
        for new, old in self._of_layers:
            pairs = zip(new.weights, old.weights, strict=True)
            found |= {id(variable): Copied(indices[id(source)]) for variable, source in pairs}
        for new, chain in self._of_chains:
            kernel, bias = new.weights
            found[id(kernel)] = Folded.of("kernel", chain, indices)
            found[id(bias)] = Folded.of("bias", chain, indices)
        return found

    def _calls(self, chain: Chain) -> dict[int, Callable[..., Any]]:
        """Return what is called in place of the layers of a chain."""
        calls: dict[int, Callable[..., Any]] = {}
        if chain.producer is not None:
            new = type(chain.producer).from_config({**chain.producer.get_config(), "use_bias": True})
            self._of_chains.append((new, chain))
            calls = {id(chain.producer): new, id(chain.norm): _pass_on}
        if chain.pool is not None and chain.activation is not None:
            calls |= {id(chain.activation): _pass_on, id(chain.pool): self._pool_first(chain.pool, chain.activation)}
        return calls

    def _pool_first(self, pool: keras.layers.Layer, activation: keras.layers.Layer) -> Callable[..., Any]:
        new_pool, new_activation = self._copy(pool), self._copy(activation)
        return lambda x, training=None, mask=None: new_activation(new_pool(x))

    def _copy(self, layer: Any) -> Any:
        """Return the new layer in place of an old one, the same for every call; an operation without state is kept."""
        if not isinstance(layer, keras.layers.Layer):
            return layer
        if id(layer) not in self._copies:
            source = _source(layer)
            if is_functional(source):
                self._copies[id(layer)] = self.model(source)
            else:
                self._copies[id(layer)] = type(layer).from_config(layer.get_config())
                self._of_layers.append((self._copies[id(layer)], layer))
        return self._copies[id(layer)]


def _idle_layers(graph: Graph) -> list[keras.layers.Layer]:
    """Return the layers that only pass on their input when the model predicts."""
    busy = {id(call.operation) for call in graph.calls if call.arguments.kwargs.get("training")}
    layers = [call.operation for call in graph.calls if id(call.operation) not in busy]
    return [
        layer
        for layer in layers
        if type(layer) in IDLE or (isinstance(layer, Augmentation) and layer.added_length == 0)
    ]


def _source(model: Any) -> Any:
    return model.source if isinstance(model, TrainingForm) else model


def _pass_on(x: Any, training: bool | None = None, mask: None = None) -> Any:
    return x
