"""The first layers of a network: two convolutions over the sequence and what stands between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

from degu.fused.graph import Graph

_POINTWISE = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.Softmax,
)
_POOLINGS = (keras.layers.AveragePooling1D, keras.layers.MaxPooling1D)


class Stem(NamedTuple):
    """The layers that a table stands for, each of which takes what the one before it returns.

    Attributes:
        first: Convolution over the bases.
        between: Layers that act on every position by itself, and at most one pooling.
        pool: Positions that the pooling makes one; 1 without pooling.
        second: Convolution that ends the stem.
        output: What `second` returns, as a tensor of the model.
    """

    first: keras.layers.Conv1D
    between: tuple[keras.layers.Layer, ...]
    pool: int
    second: keras.layers.Conv1D
    output: keras.KerasTensor

    @property
    def reach(self) -> int:
        """Bases that one position of the second convolution's input depends on."""
        return self.first.kernel_size[0] + self.pool - 1


def find_stem(model: keras.Model) -> Stem | None:
    """Return the stem of a model from one sequence of a known length to one output; None where it has none."""
    if not _is_readable(model):
        return None
    graph = Graph(model)
    calls = [call for call in graph.calls if any(tensor is model.inputs[0] for tensor in call.input_tensors)]
    if len(calls) != 1 or not graph.is_plain(calls[0]) or not _is_convolution(calls[0].operation):
        return None
    first, between, pool = calls[0].operation, [], 1
    call = graph.following(calls[0])
    while call is not None and not _is_convolution(call.operation):
        if _is_pooling(call.operation) and pool == 1:
            pool = call.operation.pool_size[0]
        elif not _is_pointwise(call.operation):
            return None
        between.append(call.operation)
        call = graph.following(call)
    if call is None:
        return None
    return Stem(first, tuple(between), pool, call.operation, call.outputs[0])


def _is_readable(model: keras.Model) -> bool:
    """Whether a model is a graph of layers from one sequence of a known length to one output."""
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 3 or len(model.outputs) != 1:
        return False
    return shapes[0][1] is not None and shapes[0][2] == 4


def _is_convolution(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv1D
        and layer.data_format == "channels_last"
        and layer.strides == layer.dilation_rate == (1,)
        and layer.groups == 1
        and layer.padding in ("same", "valid")
        and not layer.lora_enabled
        and getattr(layer, "quantization_mode", None) is None
        and layer.compute_dtype == layer.variable_dtype
        and _acts_on_positions(layer.activation)
    )


def _is_pooling(layer: Any) -> bool:
    return (
        type(layer) in _POOLINGS
        and layer.data_format == "channels_last"
        and layer.padding == "valid"
        and layer.strides == layer.pool_size
    )


def _is_pointwise(layer: Any) -> bool:
    if type(layer) not in _POINTWISE or layer.compute_dtype != layer.variable_dtype:
        return False
    if getattr(layer, "axis", -1) not in (-1, 2):
        return False
    return _acts_on_positions(getattr(layer, "activation", None))


def _acts_on_positions(activation: Any) -> bool:
    """Whether an activation looks at no other position: those of Keras do not."""
    return activation is None or activation in _keras_activations()


def _keras_activations() -> set[Any]:
    return {value for value in vars(keras.activations).values() if callable(value) and not isinstance(value, type)}


def padding_of(layer: keras.layers.Conv1D) -> tuple[int, int]:
    """Return the positions of zeros that a convolution adds before and after."""
    total = layer.kernel_size[0] - 1 if layer.padding == "same" else 0
    return total // 2, total - total // 2
