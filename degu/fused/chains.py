"""Chains of layers that can be computed together: convolution or dense layer, batch normalisation, pooling."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import activations

from degu.fused.graph import Graph

NON_DECREASING = frozenset(
    {
        activations.celu,
        activations.elu,
        activations.exponential,
        activations.hard_sigmoid,
        activations.hard_tanh,
        activations.leaky_relu,
        activations.linear,
        activations.log_sigmoid,
        activations.relu,
        activations.relu6,
        activations.selu,
        activations.sigmoid,
        activations.softplus,
        activations.softsign,
        activations.tanh,
    }
)
"""Elementwise functions that never decrease, so that a maximum may be taken before them."""


class Chain(NamedTuple):
    """Layers of which each alone takes what the one before it returns.

    Attributes:
        input_shape: Shape of what enters, the batch axis included.
        producer: Convolution or dense layer; linear where a normalisation follows.
        norm: Batch normalisation of the last axis.
        activation: Activation between normalisation and pooling that never decreases.
        pool: Max pooling of windows that do not overlap.
    """

    input_shape: tuple[int | None, ...]
    producer: keras.layers.Layer | None
    norm: keras.layers.BatchNormalization | None
    activation: keras.layers.Layer | None = None
    pool: keras.layers.MaxPooling1D | None = None

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The layers that are there, in order."""
        return [layer for layer in self[1:] if layer is not None]


def find_chains(graph: Graph, producers: tuple[type, ...] = (keras.layers.Conv1D, keras.layers.Dense)) -> list[Chain]:
    """Return the chains with a batch normalisation, in the order of their calls.

    Args:
        graph: Calls of a model; models inside it are not looked into.
        producers: Layers that may precede the normalisation in a chain.
    """
    preceding = {
        id(graph.following(call)): call
        for call in graph.calls
        if type(call.operation) in producers and graph.is_plain(call) and is_linear_map(call.operation)
    }
    chains = []
    for call in graph.calls:
        if graph.is_plain(call) and _is_norm(call):
            norm, before = call.operation, preceding.get(id(call))
            if before is not None and before.operation.compute_dtype != norm.compute_dtype:
                before = None
            start = before or call
            producer = before and before.operation
            chains.append(Chain(start.input_tensors[0].shape, producer, norm, *_pooling(graph, call)))
    return chains


def find_convolutions(graph: Graph, chains: list[Chain]) -> list[Chain]:
    """Return the convolutions of one group in no chain, each as a chain of its own."""
    taken = {id(layer) for chain in chains for layer in chain.layers}
    return [
        Chain(call.input_tensors[0].shape, call.operation, None)
        for call in graph.calls
        if type(call.operation) is keras.layers.Conv1D
        and id(call.operation) not in taken
        and graph.is_plain(call)
        and call.operation.groups == 1
        and _is_ordinary(call.operation)
    ]


def is_linear_map(layer: Any) -> bool:
    """Return whether a layer is a plain linear map of the last axis or of windows over it."""
    return layer.activation is activations.linear and _is_ordinary(layer)


def _is_ordinary(layer: Any) -> bool:
    return (
        layer.activity_regularizer is None
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def _is_norm(call: Any) -> bool:
    """Return whether a call is batch normalisation of the last axis with the statistics of its own batch."""
    layer = call.operation
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.axis in (-1, len(call.input_tensors[0].shape) - 1)
        and not layer.synchronized
        and not getattr(layer, "renorm", False)
        and layer.activity_regularizer is None
    )


def _pooling(graph: Graph, norm_call: Any) -> tuple[keras.layers.Layer | None, keras.layers.Layer | None]:
    """Return the activation and the pooling that follow a normalisation, or nothing if no pooling follows."""
    call, activation = graph.following(norm_call), None
    if call is not None and _is_non_decreasing(call.operation):
        activation, call = call.operation, graph.following(call)
    if call is None or not _is_pool(call.operation, norm_call.outputs[0].shape):
        return None, None
    return activation, call.operation


def _is_non_decreasing(layer: Any) -> bool:
    if getattr(layer, "activity_regularizer", None) is not None:
        return False
    if type(layer) is keras.layers.Activation:
        return layer.activation in NON_DECREASING
    return type(layer) in (keras.layers.ReLU, keras.layers.LeakyReLU) and float(layer.negative_slope) >= 0


def _is_pool(layer: Any, shape: tuple[int | None, ...]) -> bool:
    """Return whether a layer takes the maximum of whole windows side by side, of a known number of positions."""
    return (
        type(layer) is keras.layers.MaxPooling1D
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
        and layer.strides == layer.pool_size
        and layer.activity_regularizer is None
        and shape[1] is not None
        and shape[1] >= layer.pool_size[0]
    )
